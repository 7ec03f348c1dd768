-- Counts an attempt, then compares, or leaves that to who holds the code. The answer: what became of it and two numbers
-- about that, blocks that started; and apart, what is sealed.
local lane = lane_of(device)
local index, remaining = blocked(lane, true)
if index then return told(BLOCKED, index, remaining) end
local wait = spent(lane)
if wait > 0 then return told(BLOCKED, 2, wait) end
local one = find(challenge)
if not one or one.attempts >= rules.attempts then return told(NOT_LIVE, 0, 0) end
one.attempts = one.attempts + 1
local is_own, is_held = one.device == device, one.code == ELSEWHERE

-- Who steers no byte of an authenticator learns nothing from the time that this takes.
if is_own and not is_held and one.code == code then return right(one, lane, one.attempts) end

-- Written before anything else, so that no fault below makes a guess free.
wrong[lane] = wrong[lane] or {}
table.insert(wrong[lane], now)
save()
local attempts_left = rules.attempts - one.attempts
if is_own and is_held then
  local is_bound = lane == STRANGERS and 0 or 1
  return { { HELD, one.attempts, attempts_left, now, is_bound }, { one.sealed } }
end
struck_for_wrong(lane)
return told(is_own and WRONG or OTHER_DEVICE, one.attempts, attempts_left)
