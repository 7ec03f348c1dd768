-- Puts another code into a challenge that is live.
local refused = enter(lane)
if refused then return refused end
local one = find(challenge)
-- Rules come with each call, so they may have become stricter since it started.
if not one or one.device ~= device or one.attempts >= rules.attempts or one.start + rules.longest <= now then
  return dispatch(NOT_LIVE)
end
refused = pause(lane)
if refused then return refused end
if one.number >= rules.resends then return dispatch(RESENDS_SPENT) end
refused = room(lane)
if refused then return refused end
one.replaced = { ending = one.ending, code = one.code }
-- What somebody else holds, somebody else sends anew.
if one.code ~= ELSEWHERE then one.code = code end
one.number = one.number + 1
one.ending = math.min(now + rules.lifetime, one.start + rules.longest)
return allow(lane, one)
