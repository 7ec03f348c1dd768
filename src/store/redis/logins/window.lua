-- Moments of ours decide what is past; the rest only sweeps, and must never be first.
local function lapse(key, ending, later)
  redis.call('PEXPIRE', key, math.ceil((ending - now) / 1000) + (later or 10000))
end

-- How a window stands that counts moments, the oldest first. It is full if its `wait` is not zero.
local function standing(times, rule)
  local stands = { remaining = rule.count, full_in = 0, wait = 0 }
  if rule.count == 0 then
    stands.wait = math.max(rule.within, 1)
    return stands
  end
  for i = #times, 1, -1 do
    local left = times[i] + rule.within - now
    if left <= 0 or stands.remaining == 0 then break end
    stands.full_in = math.max(stands.full_in, left)
    stands.remaining = stands.remaining - 1
    if stands.remaining == 0 then stands.wait = left end
  end
  return stands
end
