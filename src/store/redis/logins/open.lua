-- Starts a session: KEYS the list of the subject, the session, all those of the subject; ARGV now, idle, longest, most,
-- id, subject, device, the key that it is bound to or nothing, the ids of the subject. Answers 2 if there is a session of this id, 0 and the ids if they are others.
local ids, are_known = of_subject(9)
if not are_known then return { { 0 }, ids } end
local old = read(KEYS[2])
if old and (old.reused and old.ending or old.idle) > now then return { { 2 }, {} } end
local ending = now + tonumber(ARGV[3])
local idle = math.min(now + tonumber(ARGV[2]), ending)
local mine = {}
for i, id in ipairs(ids) do
  local session = read(KEYS[2 + i])
  if is_of(session, ARGV[6]) then
    mine[#mine + 1] = { id = id, session = session }
  else
    redis.call('ZREM', KEYS[1], id)
  end
end

local answer = tell({ { 1 }, {} }, ARGV[5],
  { subject = ARGV[6], device = ARGV[7], bound = ARGV[8], generation = 0, opened = now, used = now, idle = idle })
for _ = 1, #mine + 1 - math.max(1, tonumber(ARGV[4])) do
  local gone = table.remove(mine, 1)
  redis.call('DEL', gone.session.key)
  redis.call('ZREM', KEYS[1], gone.id)
  tell(answer, gone.id, gone.session)
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'subject', ARGV[6], 'device', ARGV[7], 'bound', ARGV[8], 'generation', '0', 'opened', whole(now),
  'used', whole(now), 'rotated', '0', 'idle', whole(idle), 'end', whole(ending))
lapse(KEYS[2], idle)

-- Two may open within a microsecond, or the clock be set back: the later one is still the newer.
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
local order = math.max(now, (tonumber(last[2]) or 0) + 1)
redis.call('ZADD', KEYS[1], whole(order), ARGV[5])
local sweep = math.max(sweep_after(ending - now), redis.call('PTTL', KEYS[1]))
redis.call('PEXPIRE', KEYS[1], sweep)
return answer
