-- One request: absences, limits all or nothing, strikes. The numbers of each come first. KEYS are those that are read for
-- each request, in one command: block and revocation of each absence, then the limits. After them those of ladders.
local absences, limits = tonumber(ARGV[2]), tonumber(ARGV[3])
local at, key = 5, 2 * absences + limits + 1
local held = {}
if key > 1 then held = redis.call('MGET', unpack(KEYS, 1, key - 1)) end
local function argument()
  at = at + 1
  return ARGV[at - 1]
end
local function number() return tonumber(argument()) end
local function name()
  key = key + 1
  return KEYS[key - 1]
end
local function ladder()
  return { strikes = number(), within = number(), first = number(), cap = number(), chance = number() }
end
local function left(moment)
  if moment == math.huge then return -1 end
  return moment - now
end

for i = 1, absences do
  local issued = number()
  local moment = ends(KEYS[2 * i - 1], held[2 * i - 1])
  if moment then return { 2, i - 1, left(moment), -1, 0 } end
  local ending, since = revokes(KEYS[2 * i], held[2 * i])
  if ending and (issued < 0 or issued <= since) then return { 2, i - 1, left(ending), since, 0 } end
end

local takes, full = {}, {}
local refused, worst = nil, 0
for i = 1, limits do
  local place = 2 * absences + i
  local take = { key = KEYS[place], emission = number(), burst = number(), cost = number(), shadow = number() == 1 }
  if number() == 1 then
    take.block, take.strikes, take.cause = name(), name(), argument()
    take.ladder = ladder()
  end
  local tat = full[take.key]
  if not tat then tat = math.max(now, tonumber(held[place] or '0')) end
  take.tat, take.wait = tat, 0
  if take.cost > 0 then
    take.wait = math.max(0, tat + take.cost * take.emission - take.burst * take.emission - now)
  end
  full[take.key] = tat
  if take.wait == 0 then full[take.key] = tat + take.cost * take.emission end
  take.after = full[take.key]
  if take.wait > worst and not take.shadow then refused, worst = i, take.wait end
  takes[i] = take
end

local answer = { 0, 0, 0, -1, #takes }
if not refused then
  for moment, take in ipairs(takes) do
    if take.cost > 0 and take.wait == 0 then
      redis.call('SET', take.key, full[take.key], 'PX', px(full[take.key] - now))
    end
  end
end
for i, take in ipairs(takes) do
  local tat = take.tat
  if not refused then tat = take.after end
  answer[#answer + 1] = math.max(0, math.floor((now + take.burst * take.emission - tat) / take.emission))
  answer[#answer + 1] = tat - now
  answer[#answer + 1] = take.wait
end

local started = {}
if refused then
  answer[1], answer[2], answer[3] = 1, refused - 1, worst
  local longest = 0
  for i, take in ipairs(takes) do
    if take.wait > 0 and not take.shadow and take.ladder then
      local lasting = strike(take.block, take.strikes, take.cause, take.ladder, take.wait)
      if lasting then
        started[#started + 1] = i - 1
        started[#started + 1] = lasting
        if lasting >= longest then
          longest = lasting
          answer[1], answer[2], answer[3] = 2, -i, lasting
        end
      end
    end
  end
end
for i = 1, tonumber(ARGV[4]) do
  local block, strikes, cause = name(), name(), argument()
  local lasting = strike(block, strikes, cause, ladder(), nil)
  if lasting then
    started[#started + 1] = #takes + i - 1
    started[#started + 1] = lasting
  end
end
for _, value in ipairs(started) do answer[#answer + 1] = value end
return answer
