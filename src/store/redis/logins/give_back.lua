-- Forgets a message and the cooldown that it began, and puts the code back that it replaced: KEYS the phone, its codes; ARGV now, challenge,
-- number.
local sent = ARGV[2] .. ' ' .. ARGV[3]
local rest, found = {}, false
for message in string.gmatch(redis.call('HGET', KEYS[1], 'messages') or '', '[^,]+') do
  if not found and string.match(message, '(%x+ %d+)$') == sent then
    found = true
  else
    rest[#rest + 1] = message
  end
end
if not found then return 0 end
if #rest > 0 then
  redis.call('HSET', KEYS[1], 'messages', table.concat(rest, ','))
else
  redis.call('HDEL', KEYS[1], 'messages')
end
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  if string.match(flat[i], '^cooldown:') and string.match(flat[i + 1], ' (.*)$') == sent then
    redis.call('HDEL', KEYS[1], flat[i])
  end
end
local challenge, before = 'challenge:' .. ARGV[2], 'replaced:' .. ARGV[2]
local text, old = redis.call('HGET', KEYS[2], challenge), redis.call('HGET', KEYS[2], before)
if text and old then
  local head, number, start, own, bytes = string.match(text, '^(%d+ %S+ %d+) (%d+) (%d+) (%d+) ()')
  local ending, code = string.match(old, '^(%d+) ()')
  -- Under rules that became stricter its own end may be the earlier one: what is over stays over.
  if number == ARGV[3] and math.min(tonumber(own), tonumber(ending)) > now then
    text = { head, number, start, ending, string.sub(old, code) .. string.sub(text, bytes + 32) }
    redis.call('HSET', KEYS[2], challenge, table.concat(text, ' '))
    redis.call('HDEL', KEYS[2], before)
  end
end
return 1
