-- Sessions, as their scripts share them. An answer is numbers and, apart, texts; a session is four of each.
local function read(key)
  local kept = redis.call('HMGET', key, 'subject', 'device', 'generation', 'opened', 'used', 'rotated', 'idle', 'end',
    'reused', 'bound')
  if not kept[1] then return nil end
  local session = { key = key, subject = kept[1], device = kept[2], reused = kept[9] == '1', bound = kept[10] or '' }
  for i, name in ipairs({ 'generation', 'opened', 'used', 'rotated', 'idle', 'ending' }) do
    session[name] = tonumber(kept[2 + i])
    if not session[name] then error('a value is none of ours') end
  end
  return session
end

local function is_over(session)
  -- The idle end is never after the absolute one.
  return not session or session.reused or session.idle <= now
end

-- A list may name what is over, and whose id has become another's.
local function is_of(session, subject) return not is_over(session) and session.subject == subject end

-- Moments of ours decide what is past; the rest only sweeps, and must never be first.
local function sweep_after(span) return math.ceil(span / 1000) + 10000 end
local function lapse(key, ending) redis.call('PEXPIRE', key, sweep_after(ending - now)) end

local function tell(answer, id, session)
  local numbers, texts = answer[1], answer[2]
  for _, value in ipairs({ session.generation, session.opened, session.used, math.max(0, session.idle - now) }) do
    numbers[#numbers + 1] = value
  end
  for _, text in ipairs({ id, session.subject, session.device, session.bound }) do texts[#texts + 1] = text end
  return answer
end

-- The ids of a subject, the oldest first, if they are those that the caller knows: only then are the keys of all its
-- sessions among ours.
local function of_subject(first)
  local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
  if #ids ~= #ARGV - first + 1 then return ids, false end
  for i, id in ipairs(ids) do
    if ARGV[first + i - 1] ~= id then return ids, false end
  end
  return ids, true
end
