-- Counts an arrival in one window: KEYS it, block, strikes; ARGV now, count, within, the ladder, whether it may be struck. Answers 0 if it has room, 1
-- if it has none, 2 if that started a block; how long; the window before and after; the moment that was counted.
local rule = { count = tonumber(ARGV[2]), within = tonumber(ARGV[3]) }
local climb = {
  strikes = tonumber(ARGV[4]), within = tonumber(ARGV[5]), first = tonumber(ARGV[6]), cap = tonumber(ARGV[7]),
  chance = tonumber(ARGV[8]),
}
local times = {}
for i, moment in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do times[i] = tonumber(moment) end
local before = standing(times, rule)
local function answer(kind, lasting, after)
  return {
    kind, lasting, before.remaining, before.full_in, before.wait, after.remaining, after.full_in, after.wait, now,
  }
end
if before.wait > 0 then
  local lasting = ARGV[9] == '1' and strike(KEYS[2], KEYS[3], 'otp-requests', climb, nil)
  if lasting then return answer(2, lasting, before) end
  return answer(1, before.wait, before)
end
local past = 0
while past < #times and times[past + 1] + rule.within <= now do past = past + 1 end
if past > 0 then redis.call('LTRIM', KEYS[1], past, -1) end
redis.call('RPUSH', KEYS[1], whole(now))
lapse(KEYS[1], now + rule.within)
times[#times + 1] = now
return answer(0, 0, standing(times, rule))
