-- Whether the server is new enough (0 if not), and the user may do what scripts and who runs them do (1 if not): ARGV whether
-- it is one of a cluster, names of keys.
if not redis.acl_check_cmd then return 0 end
local commands = {
  { 'GET' }, { 'MGET' }, { 'HGET', 'a' }, { 'SET', '1', 'PX', '1' }, { 'DEL' }, { 'PTTL' }, { 'PEXPIRE', '1' }, { 'HGETALL' }, { 'HSET', 'a', '1' },
  { 'HMGET', 'a' }, { 'HDEL', 'a' }, { 'LRANGE', '0', '-1' }, { 'RPUSH', '1' }, { 'LTRIM', '0', '-1' }, { 'LREM', '1', '1' },
  { 'ZRANGE', '0', '-1' }, { 'ZADD', '1', 'a' }, { 'ZREM', 'a' },
}
-- Who runs a script needs EVAL only where the server does not know it, and ASKING only while a slot moves.
local others = { { 'TIME' }, { 'SCAN', '0' }, { 'EVALSHA', '', '0' }, { 'EVAL', '', '0' }, { 'SCRIPT', 'LOAD', '' } }
if ARGV[1] == '1' then others[#others + 1] = { 'ASKING' } end
for _, command in ipairs(others) do
  if not redis.acl_check_cmd(unpack(command)) then return 1 end
end
for i = 2, #ARGV do
  for _, command in ipairs(commands) do
    if not redis.acl_check_cmd(command[1], ARGV[i], unpack(command, 2)) then return 1 end
  end
end
return 2
