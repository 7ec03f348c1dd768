-- Puts a block, or with `since` a revocation: KEYS it; ARGV now, lasting (-1 without end), since (-1 if it is a block).
local moment = math.huge
if tonumber(ARGV[2]) >= 0 then moment = now + tonumber(ARGV[2]) end
local text = written(moment)
if tonumber(ARGV[3]) >= 0 then text = text .. '|' .. ARGV[3] end
if moment > now then put(KEYS[1], moment, text) else redis.call('DEL', KEYS[1]) end
return 1
