-- A session that is not over: KEYS it; ARGV now, id, whether it ends.
local session = read(KEYS[1])
if is_over(session) then return { {}, {} } end
if ARGV[3] == '1' then redis.call('DEL', KEYS[1]) end
return tell({ {}, {} }, ARGV[2], session)
