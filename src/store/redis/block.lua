-- Puts a block, or with `since` a revocation: KEYS it; ARGV now, lasting (-1 without end), since (-1 if it is a block),
-- whether what stands already counts where it refuses more.
local moment = math.huge
if tonumber(ARGV[2]) >= 0 then moment = now + tonumber(ARGV[2]) end
local since = tonumber(ARGV[3])
if ARGV[4] == '1' then
  local stands, up_to
  if since >= 0 then stands, up_to = revoked_until(KEYS[1]) else stands = blocked_until(KEYS[1]) end
  if stands then moment, since = math.max(moment, stands), math.max(since, up_to or -1) end
end
local text = written(moment)
if since >= 0 then text = text .. '|' .. whole(since) end
if moment > now then put(KEYS[1], moment, text) else redis.call('DEL', KEYS[1]) end
return 1
