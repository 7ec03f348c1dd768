-- What became of messages: KEYS country, prefix, client, what was spent; ARGV now, how many, whether they were answered, the refund, the day
-- that it was spent on.
local messages, answered, refund = tonumber(ARGV[2]), ARGV[3] == '1', tonumber(ARGV[4])
if messages > 0 then
  for i = 1, 3 do
    local book = open_ledger(KEYS[i])
    count(book, -messages, answered and messages or 0, i < 3)
    save(book)
  end
end
if refund > 0 and tonumber(ARGV[5]) == SCALES.d.bucket then
  local today = spent_today(KEYS[4])
  today.spent = math.max(0, today.spent - refund)
  write_spent(KEYS[4], today)
end
return 1
