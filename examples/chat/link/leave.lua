-- Removes a user.
if remove(ARGV[1]) then tell("left", ARGV[1], "") end
return 1
