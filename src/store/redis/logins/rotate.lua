-- Answers a refresh token: KEYS the session; ARGV now, id, generation, idle, grace.
local NEXT, REPLAY, REUSED, OVER = 0, 1, 2, 3
local session = read(KEYS[1])
if session and session.reused and session.ending > now then return tell({ { REUSED }, {} }, ARGV[2], session) end
if is_over(session) then return { { OVER }, {} } end
local generation = tonumber(ARGV[3])
if generation >= session.generation then
  -- As much as the caller can count.
  session.generation = math.min(generation + 1, 4294967295)
  session.used, session.idle = now, math.min(now + tonumber(ARGV[4]), session.ending)
  redis.call('HSET', KEYS[1], 'generation', whole(session.generation), 'used', whole(now), 'rotated', whole(now),
    'idle', whole(session.idle))
  lapse(KEYS[1], session.idle)
  return tell({ { NEXT }, {} }, ARGV[2], session)
end
if generation + 1 == session.generation and now - session.rotated <= tonumber(ARGV[5]) then
  return tell({ { REPLAY }, {} }, ARGV[2], session)
end
redis.call('HSET', KEYS[1], 'reused', '1')
lapse(KEYS[1], session.ending)
return tell({ { REUSED }, {} }, ARGV[2], session)
