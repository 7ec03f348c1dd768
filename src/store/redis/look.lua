-- How long keys still stand: KEYS blocks and revocations; ARGV now, then for each whether it is a revocation.
local answer = {}
for i, key in ipairs(KEYS) do
  local moment, since
  if ARGV[i + 1] == '1' then moment, since = revoked_until(key) else moment = blocked_until(key) end
  local left = -2
  if moment == math.huge then left = -1 elseif moment then left = moment - now end
  answer[#answer + 1] = left
  answer[#answer + 1] = since or -1
end
return answer
