-- The sessions of a subject that are not over, the newest first: KEYS the list of the subject, all its sessions; ARGV now,
-- whether they end, subject, the ids of the subject. Answers 0 and the ids if they are others.
local ids, are_known = of_subject(4)
if not are_known then return { { 0 }, ids } end
local answer = { { 1 }, {} }
for i = #ids, 1, -1 do
  local session = read(KEYS[1 + i])
  if is_of(session, ARGV[3]) then
    tell(answer, ids[i], session)
    if ARGV[2] == '1' then redis.call('DEL', KEYS[1 + i]) end
  end
end
if ARGV[2] == '1' then redis.call('DEL', KEYS[1]) end
return answer
