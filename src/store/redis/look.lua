-- How long keys still stand, and what led to it: KEYS blocks and revocations, each with the strikes of its key; ARGV now, then for
-- each whether it is a revocation.
local answer = {}
for i = 1, #KEYS / 2 do
  local key, strikes = KEYS[2 * i - 1], KEYS[2 * i]
  local text = redis.call('GET', key)
  local moment, since, cause
  if ARGV[i + 1] == '1' then
    moment, since = revokes(key, text)
  else
    moment = ends(key, text)
    -- Whatever else is there hides no block.
    local led = redis.pcall('HMGET', strikes, 'end', 'cause')
    -- A block that took the place of one that strikes led to ends at another time.
    if text and led[1] == text then cause = led[2] end
  end
  local left = -2
  if moment == math.huge then left = -1 elseif moment then left = moment - now end
  answer[#answer + 1] = { left, since or -1, cause or '' }
end
return answer
