-- Starts a session that no list has yet: KEYS it; ARGV now, idle, longest, id, subject, device, the key that it is bound to or nothing. Answers 2 if there is one.
local old = read(KEYS[1])
if old and (old.reused and old.ending or old.idle) > now then return { { 2 }, {} } end
local ending = now + tonumber(ARGV[3])
local idle = math.min(now + tonumber(ARGV[2]), ending)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'subject', ARGV[5], 'device', ARGV[6], 'bound', ARGV[7], 'generation', '0', 'opened', whole(now),
  'used', whole(now), 'rotated', '0', 'idle', whole(idle), 'end', whole(ending))
lapse(KEYS[1], idle)
return tell({ { 1 }, {} }, ARGV[4],
  { subject = ARGV[5], device = ARGV[6], bound = ARGV[7], generation = 0, opened = now, used = now, idle = idle })
