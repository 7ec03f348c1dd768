-- Begins the life of what is kept here, unless it has begun: KEYS the marker; ARGV now, a random id. Answers the marker.
local text = redis.call('GET', KEYS[1])
if not text then
  text = ARGV[2] .. '|' .. whole(now)
  redis.call('SET', KEYS[1], text)
end
return text
