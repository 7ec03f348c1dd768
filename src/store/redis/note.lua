-- Keeps a note unless one of the same or a higher rank is there: KEYS it; ARGV rank, text, how long in milliseconds.
local before = redis.call('GET', KEYS[1])
local kept = not before or (tonumber(string.match(before, '^%d+')) or 0) < tonumber(ARGV[1])
if kept then redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3]) end
return { kept and 1 or 0, before }
