-- A phone, as `issue`, `resend`, `verify` and `conclude` share it: otp/contract.md in another language.
-- KEYS the phone, its devices, its block, its strikes; for each key of the arrival, the client first, its block and its
-- strikes; then for each its window, but in `verify` and `conclude`; last the codes of the phone. ARGV now, how many keys the arrival has (none in a cluster), whether the
-- client may be struck, device, challenge, code,
-- the rules, the ladders of the phone, a ladder for each key of the arrival.
local at = 1
local function argument()
  at = at + 1
  return ARGV[at]
end
local function number() return tonumber(argument()) end
local function window() return { count = number(), within = number() } end
local function ladder()
  return { strikes = number(), within = number(), first = number(), cap = number(), chance = number() }
end

-- As much of a span as every sum of it and a moment keeps exactly.
local MOST = 2 ^ 52
local STRANGERS = 'strangers'
local DEVICES = 5
-- In the place of an authenticator where somebody else holds the code: no code has this one.
local ELSEWHERE = string.rep('\0', 32)

local of_arrival = number()
local may_be_struck = number() == 1
local device, challenge, code = argument(), argument(), argument()
local rules = {
  lifetime = number(), longest = number(), attempts = number(), resends = number(), live = number(),
  cooldown = number(), client = window(), fingerprint = window(), phone = { window(), window() }, device = window(),
  guesses = { window(), window() }, device_memory = number(), sends_block = ladder(), guesses_block = ladder(),
}
local arrivals = {}
for i = 1, of_arrival do
  -- Told as 0 for the client, 1 for the fingerprint; the phone is 2, the device 3.
  local arrival = { index = i - 1, window = KEYS[4 + 2 * of_arrival + i], ladder = ladder() }
  arrival.block, arrival.strikes = KEYS[3 + 2 * i], KEYS[4 + 2 * i]
  arrival.is_spared = i == 1 and not may_be_struck
  arrival.rule = arrival.index == 0 and rules.client or rules.fingerprint
  arrivals[i] = arrival
end

local function foreign() error('a value is none of ours') end
local function moments(text)
  local list = {}
  for moment in string.gmatch(text, '%d+') do list[#list + 1] = tonumber(moment) end
  return list
end

-- What can be answered is in a key of its own, which ends with the last code, however long messages count.
local CODES = KEYS[#KEYS]
local kept = { [KEYS[1]] = {}, [CODES] = {} }
local live, messages, wrong, cooldowns, noted, replaced = {}, {}, {}, {}, nil, {}
local function read(key, name, text)
  kept[key][name] = text
  local kind, of = string.match(name, '^(%l+):?(.*)$')
  if kind == 'challenge' then
    local order, whose, attempts, sent, start, ending, bytes =
      string.match(text, '^(%d+) (%S+) (%d+) (%d+) (%d+) (%d+) ()')
    if not order then foreign() end
    live[#live + 1] = {
      id = of, order = tonumber(order), device = whose, attempts = tonumber(attempts), number = tonumber(sent),
      start = tonumber(start), ending = tonumber(ending),
      code = string.sub(text, bytes, bytes + 31), sealed = string.sub(text, bytes + 32),
    }
  elseif kind == 'replaced' then
    -- What the last message of a challenge has put in place of.
    local ending, bytes = string.match(text, '^(%d+) ()')
    if not ending then foreign() end
    replaced[of] = { ending = tonumber(ending), code = string.sub(text, bytes) }
  elseif kind == 'messages' then
    for moment, whose, id, sent in string.gmatch(text, '(%d+) ([^ ,]+) (%x+) (%d+)') do
      messages[#messages + 1] = { at = tonumber(moment), device = whose, challenge = id, number = sent }
    end
  elseif kind == 'wrong' then
    wrong[of] = moments(text)
  elseif kind == 'cooldown' then
    local ending, began = string.match(text, '^(%d+) (%x+ %d+)$')
    if not ending then foreign() end
    cooldowns[of] = { ending = tonumber(ending), began = began }
  elseif kind == 'noted' then
    local ending, spent = string.match(text, '^(%d+) (%l+)$')
    if not ending then foreign() end
    noted = { ending = tonumber(ending), spent = spent }
  else
    foreign()
  end
end
for key in pairs(kept) do
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do read(key, flat[i], flat[i + 1]) end
end
for _, one in ipairs(live) do one.replaced = replaced[one.id] end
table.sort(live, function(one, other) return one.order < other.order end)

-- Those that logged in, the last one last.
local devices = {}
for whose, ending in string.gmatch(redis.call('GET', KEYS[2]) or '', '([^ ,]+) (%d+)') do
  if tonumber(ending) > now then devices[#devices + 1] = { device = whose, ending = tonumber(ending) } end
end

-- The moments of messages for a device, or of all.
local function sent_for(whose)
  local times = {}
  for _, message in ipairs(messages) do
    if not whose or message.device == whose then times[#times + 1] = message.at end
  end
  return times
end

-- How long until two windows over the same moments have room.
local function full(times, pair)
  return math.max(standing(times, pair[1]).wait, standing(times, pair[2]).wait)
end

local function spent(lane) return full(wrong[lane] or {}, rules.guesses) end

local function longest(...)
  local most = 0
  for _, rule in ipairs({ ... }) do most = math.max(most, rule.within) end
  return most
end

local function remembers(whose)
  for _, known in ipairs(devices) do
    if known.device == whose then return true end
  end
  return false
end

-- The lane of a device: its own if it is bound, else that of the strangers.
local function lane_of(whose)
  if remembers(whose) and spent(whose) == 0 then return whose end
  return STRANGERS
end

local function find(id)
  for _, one in ipairs(live) do
    if one.id == id and one.ending > now then return one end
  end
  return nil
end

-- Writes what has changed in a key, and when it ends.
local function write(key, fresh, dies, later)
  local set, gone = {}, {}
  for name, text in pairs(fresh) do
    if kept[key][name] ~= text then
      set[#set + 1] = name
      set[#set + 1] = text
    end
  end
  for name in pairs(kept[key]) do
    if not fresh[name] then gone[#gone + 1] = name end
  end
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
  if #set > 0 then redis.call('HSET', key, unpack(set)) end
  if dies > 0 then lapse(key, dies, later) end
  kept[key] = fresh
end

-- Writes what has changed, and forgets what is past.
local function save()
  local fresh, dies = { [KEYS[1]] = {}, [CODES] = {} }, { [KEYS[1]] = 0, [CODES] = 0 }
  local function keep_in(key, name, ending, ...)
    if ending <= now then return end
    fresh[key][name] = table.concat({ ... }, ' ')
    dies[key] = math.max(dies[key], ending)
  end
  local function keep(...) keep_in(KEYS[1], ...) end
  for _, one in ipairs(live) do
    keep_in(CODES, 'challenge:' .. one.id, one.ending, whole(one.order), one.device, whole(one.attempts), whole(one.number),
      whole(one.start), whole(one.ending), one.code .. one.sealed)
    if one.replaced and one.ending > now then
      keep_in(CODES, 'replaced:' .. one.id, one.replaced.ending, whole(one.replaced.ending), one.replaced.code)
    end
  end
  local span, list, newest = longest(rules.phone[1], rules.phone[2], rules.device), {}, 0
  for _, message in ipairs(messages) do
    if message.at + span > now then
      list[#list + 1] = table.concat({ whole(message.at), message.device, message.challenge, message.number }, ' ')
      newest = message.at
    end
  end
  keep('messages', newest + span, table.concat(list, ','))
  span = longest(unpack(rules.guesses))
  for lane, times in pairs(wrong) do
    list, newest = {}, 0
    for _, moment in ipairs(times) do
      if moment + span > now then
        list[#list + 1] = whole(moment)
        newest = moment
      end
    end
    keep('wrong:' .. lane, newest + span, table.concat(list, ','))
  end
  for lane, cooldown in pairs(cooldowns) do
    keep('cooldown:' .. lane, cooldown.ending, whole(cooldown.ending), cooldown.began)
  end
  if noted then keep('noted', noted.ending, whole(noted.ending), noted.spent) end
  write(KEYS[1], fresh[KEYS[1]], dies[KEYS[1]])
  -- Not a code longer than it must be, whatever it is worth.
  write(CODES, fresh[CODES], dies[CODES], 1000)
end

local function left(moment)
  if moment == math.huge then return -1 end
  return moment - now
end

-- The first key that is blocked for this call, and how much longer.
local function blocked(lane, answers)
  for _, arrival in ipairs(arrivals) do
    local moment = not arrival.is_spared and blocked_until(arrival.block)
    if moment then return arrival.index, left(moment) end
  end
  local moment = blocked_until(KEYS[3])
  if not moment then return nil end
  if noted and noted.ending == moment then
    -- The strangers' own doing.
    if lane ~= STRANGERS or (answers and noted.spent == 'sends') then return nil end
  end
  return 2, left(moment)
end

local started = {}
local function struck(index, block, strikes, cause, climb)
  local lasting = strike(block, strikes, cause, climb, nil)
  if lasting then
    started[#started + 1] = index
    started[#started + 1] = lasting
  end
  return lasting
end

-- Blocks the phone for strangers. Says until when it is blocked, if it is.
local function block_phone(cause, by)
  local climb = by == 'sends' and rules.sends_block or rules.guesses_block
  local lasting = struck(2, KEYS[3], KEYS[4], cause, climb)
  if lasting then noted = { ending = now + lasting, spent = by } end
  return blocked_until(KEYS[3])
end
