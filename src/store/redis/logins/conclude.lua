-- Ends an attempt whose code somebody else holds: ARGV also its number, the moment and the lane in which it is counted as
-- wrong, and what the holder says: nothing, that it is right, or that it is wrong. Answers as `verify`.
local attempt, at, is_bound, said = number(), number(), number() == 1, number()
local lane = is_bound and device or STRANGERS
local one = find(challenge)
if one and (one.device ~= device or one.code ~= ELSEWHERE) then one = nil end
if said == 1 then return one and right(one, lane, attempt) or told(NOT_LIVE, 0, 0) end
if said == 2 then
  struck_for_wrong(lane)
else
  for i, moment in ipairs(wrong[lane] or {}) do
    if moment == at then
      table.remove(wrong[lane], i)
      save()
      break
    end
  end
end
if not one then return told(NOT_LIVE, 0, 0) end
return told(WRONG, attempt, math.max(0, rules.attempts - one.attempts))
