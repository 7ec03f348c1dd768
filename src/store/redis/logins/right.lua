-- What `verify` and `conclude` share.
local RIGHT, WRONG, OTHER_DEVICE, NOT_LIVE, BLOCKED, HELD = 0, 1, 2, 3, 4, 5

-- Takes a challenge whose code was right, and remembers the device.
local function right(one, lane, attempt)
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
  return { { RIGHT, attempt, is_new, math.min(sent, 255) }, { one.sealed } }
end

-- Strikes for a wrong code that the lane has counted, and blocks the phone if it was the last of the strangers.
local function struck_for_wrong(lane)
  for _, arrival in ipairs(arrivals) do
    if not arrival.is_spared then struck(arrival.index, arrival.block, arrival.strikes, 'otp-codes', arrival.ladder) end
  end
  if lane == STRANGERS and spent(lane) > 0 then
    block_phone('otp-guesses', 'guesses')
    save()
  end
end

-- What became of an attempt, and the blocks that started.
local function told(...)
  local answer = { ... }
  for _, value in ipairs(started) do answer[#answer + 1] = value end
  return { answer, {} }
end
