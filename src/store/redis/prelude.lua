-- Shared by every script. Times are whole microseconds; `now` comes from the server, or from a test.
local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- A number as part of a text. Commands take numbers as they are: all digits of a whole one, up to 2^53.
local function whole(number)
  return string.format('%.0f', number)
end

-- Milliseconds that cover a span.
local function px(micros)
  return math.max(1, math.ceil(micros / 1000))
end

-- The end of what a key says: a moment of ours, or of one that was set by hand whatever its time to live says.
-- math.huge has no end; nil does not stand.
local function ends(key, text)
  if not text then return nil end
  if text == 'never' then return math.huge end
  if #text >= 16 and string.match(text, '^%d+$') then
    local moment = tonumber(text)
    if moment > now then return moment end
    return nil
  end
  local left = redis.call('PTTL', key)
  if left == -1 then return math.huge end
  if left > 0 then return now + left * 1000 end
  return nil
end

local function blocked_until(key)
  return ends(key, redis.call('GET', key))
end

-- The end of what a revocation says, and the moment up to which tokens are refused.
local function revokes(key, text)
  if not text then return nil end
  local moment, since = string.match(text, '^([^|]+)|(%d+)$')
  if not moment then return nil end
  return ends(key, moment), tonumber(since)
end

local function revoked_until(key)
  return revokes(key, redis.call('GET', key))
end

local function put(key, moment, text)
  if moment == math.huge then
    redis.call('SET', key, text)
  else
    redis.call('SET', key, text, 'PX', px(moment - now))
  end
end

local function written(moment)
  if moment == math.huge then return 'never' end
  return whole(moment)
end

-- Counts a strike; answers how long the block lasts that it starts, or nil. With `wait`, a limit's refusal: once until then.
local function strike(block, strikes, cause, ladder, wait)
  if blocked_until(block) then return nil end
  local kept = {}
  local flat = redis.call('HGETALL', strikes)
  for i = 1, #flat, 2 do kept[flat[i]] = flat[i + 1] end
  if wait then
    if now < tonumber(kept['refusing:' .. cause] or '0') then return nil end
    kept['refusing:' .. cause] = whole(now + wait)
  end
  kept['within:' .. cause] = whole(ladder.within)
  local times = {}
  for time in string.gmatch(kept['times:' .. cause] or '', '%d+') do
    if tonumber(time) + ladder.within > now then times[#times + 1] = time end
  end
  times[#times + 1] = whole(now)
  local level, last = tonumber(kept.level or '0'), tonumber(kept.last or '0')
  local ended = tonumber(kept['end'] or '0')
  local lasting = nil
  if #times >= ladder.strikes then
    times = {}
    if last > 0 and now > ended then
      level = math.max(0, level - math.floor((now - ended) / (2 * last)))
    end
    local exact = math.min(ladder.first * 2 ^ math.min(level, 64), ladder.cap)
    local more = 0
    if level > 0 then more = ladder.chance % math.max(1, math.floor(exact / 10)) end
    lasting = math.min(exact + more, ladder.cap)
    if lasting < ladder.cap then level = level + 1 end
    last, ended = lasting, now + lasting
    kept.cause = cause
  end
  kept['times:' .. cause] = table.concat(times, ',')
  kept.level, kept.last, kept['end'] = whole(level), whole(last), whole(ended)
  local dies = ended + 2 * last * level
  local all = {}
  for name, value in pairs(kept) do
    all[#all + 1] = name
    all[#all + 1] = value
    local of = string.match(name, '^times:(.*)$')
    if of then
      local newest = string.match(value, '(%d+)$')
      if newest then
        dies = math.max(dies, tonumber(newest) + tonumber(kept['within:' .. of] or '0'))
      end
      dies = math.max(dies, tonumber(kept['refusing:' .. of] or '0'))
    end
  end
  redis.call('HSET', strikes, unpack(all))
  redis.call('PEXPIRE', strikes, px(dies - now))
  if lasting then put(block, ended, whole(ended)) end
  return lasting
end
