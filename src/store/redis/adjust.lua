-- Charges or refunds a limit: KEYS the limit; ARGV now, emission, burst, cells, whether to charge.
local emission, burst, cells = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local tat = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
if ARGV[5] == '1' then
  tat = math.min(tat + cells * emission, now + 2 * burst * emission)
else
  tat = math.max(tat - cells * emission, now)
end
if tat > now then
  redis.call('SET', KEYS[1], tat, 'PX', px(tat - now))
else
  redis.call('DEL', KEYS[1])
end
return { math.max(0, math.floor((now + burst * emission - tat) / emission)), tat - now }
