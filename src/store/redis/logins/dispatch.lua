-- What `issue` and `resend` share. The answer: what became of it and three numbers about that, the windows of client
-- and device, each after whether it was looked at, blocks that started; and apart, what is sealed.
local client, own = nil, nil
local function dispatch(kind, one, two, three, sealed)
  local answer = { kind, one or 0, two or 0, three or 0 }
  for _, stands in ipairs({ client or false, own or false }) do
    answer[#answer + 1] = stands and 1 or 0
    answer[#answer + 1] = stands and stands.remaining or 0
    answer[#answer + 1] = stands and stands.full_in or 0
    answer[#answer + 1] = stands and stands.wait or 0
  end
  for _, value in ipairs(started) do answer[#answer + 1] = value end
  return { answer, { sealed } }
end
local ALLOWED, BLOCKED, LIMITED, COOLDOWN, NOT_LIVE, RESENDS_SPENT = 0, 1, 2, 3, 4, 5

-- Blocks, and the windows of the arrival: counted in all or in none.
local function enter(lane)
  local index, remaining = blocked(lane, false)
  if index then return dispatch(BLOCKED, index, remaining) end
  for _, arrival in ipairs(arrivals) do
    arrival.times = {}
    for i, moment in ipairs(redis.call('LRANGE', arrival.window, 0, -1)) do arrival.times[i] = tonumber(moment) end
    local stands = standing(arrival.times, arrival.rule)
    if arrival.index == 0 then client = stands end
    if stands.wait > 0 then
      local lasting = not arrival.is_spared
        and struck(arrival.index, arrival.block, arrival.strikes, 'otp-requests', arrival.ladder)
      if lasting then return dispatch(BLOCKED, arrival.index, lasting) end
      return dispatch(LIMITED, arrival.index, stands.wait)
    end
  end
  for _, arrival in ipairs(arrivals) do
    local past, within = 0, arrival.rule.within
    while past < #arrival.times and arrival.times[past + 1] + within <= now do past = past + 1 end
    if past > 0 then redis.call('LTRIM', arrival.window, past, -1) end
    redis.call('RPUSH', arrival.window, whole(now))
    lapse(arrival.window, now + within)
    if arrival.index == 0 then
      arrival.times[#arrival.times + 1] = now
      client = standing(arrival.times, arrival.rule)
    end
  end
  return nil
end

-- Guesses and cooldown of the lane.
local function pause(lane)
  local wait = spent(lane)
  if wait > 0 then return dispatch(LIMITED, 2, wait) end
  local cooldown = cooldowns[lane]
  if cooldown and cooldown.ending > now then return dispatch(COOLDOWN, cooldown.ending - now) end
  return nil
end

-- A place for a stranger's challenge besides those of other strangers.
local function place(lane)
  if lane ~= STRANGERS then return nil end
  local ends = {}
  for _, other in ipairs(live) do
    if other.ending > now and other.device ~= device and lane_of(other.device) == STRANGERS then
      ends[#ends + 1] = other.ending
    end
  end
  table.sort(ends)
  -- There may be more than there are places: those of devices that were the owner's when they asked.
  local last = ends[#ends - math.max(rules.live, 1) + 1]
  if last then return dispatch(LIMITED, 2, last - now) end
  return nil
end

-- The windows of the phone.
local function room(lane)
  local counted = nil
  if lane ~= STRANGERS then counted = device end
  local wait = full(sent_for(counted), rules.phone)
  if wait > 0 then
    if lane == STRANGERS then
      local moment = block_phone('otp-sends', 'sends')
      if #started > 0 then save() end
      if moment then return dispatch(BLOCKED, 2, left(moment)) end
    end
    return dispatch(LIMITED, 2, wait)
  end
  own = standing(sent_for(device), rules.device)
  if own.wait > 0 then return dispatch(LIMITED, 3, own.wait) end
  return nil
end

-- Counts a message, writes all, and lets it go.
local function allow(lane, one)
  local cooldown = math.min(rules.cooldown * 2 ^ math.min(one.number, 52), MOST)
  local sent = whole(one.number)
  messages[#messages + 1] = { at = now, device = device, challenge = one.id, number = sent }
  cooldowns[lane] = { ending = now + cooldown, began = one.id .. ' ' .. sent }
  save()
  own = standing(sent_for(device), rules.device)
  return dispatch(ALLOWED, one.number, one.ending - now, cooldown, one.sealed)
end

local lane = lane_of(device)
