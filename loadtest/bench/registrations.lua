-- Has every wrk request register another student for the course that REGISTRATION_COURSE names.
local threads = 0
function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end
local sent = 0
local course = os.getenv("REGISTRATION_COURSE")
local run = os.getenv("REGISTRATION_RUN")
function request()
   sent = sent + 1
   local body = string.format('{"student_id":"T%s-%d-%d","course_id":"%s"}', run, number, sent, course)
   return wrk.format("POST", "/registrations", { ["Content-Type"] = "application/json" }, body)
end
dofile(os.getenv("REGISTRATION_REPORT"))
