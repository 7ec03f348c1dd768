-- One limit and nothing else: what `admit` decides, without the prelude and without what it would look for in vain.
-- KEYS the limit; ARGV emission, burst, cost, and in tests the time.
local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local emission = tonumber(ARGV[1])
local full = now + ARGV[2] * emission
local tat, wait = tonumber(redis.call('GET', KEYS[1]) or now), 0
if tat < now then tat = now end
if ARGV[3] ~= '0' then
  local after = tat + ARGV[3] * emission
  if after > full then
    wait = after - full
  else
    tat = after
    redis.call('SET', KEYS[1], tat, 'PX', math.ceil((tat - now) / 1000))
  end
end
return { math.max(0, math.floor((full - tat) / emission)), tat - now, wait }
