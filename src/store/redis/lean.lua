-- One limit and nothing else: what `admit` decides, in as few words as it can be said.
-- KEYS the limit; ARGV what the request takes and the whole burst, as spans, and in tests the time.
-- Answers the span until the limit is full, or one below its negative if the request is refused.
local now = tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local tat = tonumber(redis.call('GET', KEYS[1]) or now)
if tat < now then tat = now end
if ARGV[1] == '0' then return tat - now end
local after = tat + ARGV[1]
if after > now + ARGV[2] then return now - tat - 1 end
redis.call('SET', KEYS[1], after, 'PX', math.ceil((after - now) / 1000))
return after - now
