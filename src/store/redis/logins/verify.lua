-- Counts an attempt, then compares. The answer: what became of it and two numbers about that, blocks that started; and
-- apart, what is sealed.
local RIGHT, WRONG, OTHER_DEVICE, NOT_LIVE, BLOCKED = 0, 1, 2, 3, 4
local lane = lane_of(device)
local index, remaining = blocked(lane, true)
if index then return { { BLOCKED, index, remaining }, {} } end
local wait = spent(lane)
if wait > 0 then return { { BLOCKED, 2, wait }, {} } end
local one = find(challenge)
if not one or one.attempts >= rules.attempts then return { { NOT_LIVE, 0, 0 }, {} } end
one.attempts = one.attempts + 1
local is_own = one.device == device

-- Who steers no byte of an authenticator learns nothing from the time that this takes.
if is_own and one.code == code then
  local is_new, sent = remembers(device) and 0 or 1, 0
  for _, message in ipairs(messages) do
    if message.challenge == one.id then sent = sent + 1 end
  end
  one.ending = 0
  wrong[lane], wrong[device] = nil, nil
  for i = #devices, 1, -1 do
    if devices[i].device == device then table.remove(devices, i) end
  end
  if #devices >= DEVICES then
    local gone = table.remove(devices, 1).device
    wrong[gone], cooldowns[gone] = nil, nil
  end
  devices[#devices + 1] = { device = device, ending = now + rules.device_memory }
  local list, dies = {}, 0
  for i, known in ipairs(devices) do
    list[i] = known.device .. ' ' .. whole(known.ending)
    dies = math.max(dies, known.ending)
  end
  redis.call('SET', KEYS[2], table.concat(list, ','))
  lapse(KEYS[2], dies)
  save()
  return { { RIGHT, one.attempts, is_new, math.min(sent, 255) }, { one.sealed } }
end

-- Written before anything else, so that no fault below makes a guess free.
wrong[lane] = wrong[lane] or {}
table.insert(wrong[lane], now)
save()
for _, arrival in ipairs(arrivals) do
  if not arrival.is_spared then struck(arrival.index, arrival.block, arrival.strikes, 'otp-codes', arrival.ladder) end
end
if lane == STRANGERS and spent(lane) > 0 then
  block_phone('otp-guesses', 'guesses')
  save()
end
local answer = { is_own and WRONG or OTHER_DEVICE, one.attempts, rules.attempts - one.attempts }
for _, value in ipairs(started) do answer[#answer + 1] = value end
return { answer, {} }
