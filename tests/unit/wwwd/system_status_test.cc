#include "wwwd/system_status.h"

#include <catch2/catch.hpp>

using namespace wwwd;

namespace {

Json json(std::string_view text) {
  auto value = parse_json(text);
  REQUIRE(value);
  return *value;
}

std::string whats(const SystemStatus& system, const QueueStatus& queue) {
  std::string out;
  for (const Concern& c : concerns_of(system, queue)) {
    out += (c.weight == Concern::Weight::kWrong ? "!" : "?") + c.what + ";";
    CHECK_FALSE(c.todo.empty());
    CHECK(c.path.empty() == c.link.empty());
  }
  return out;
}

ModuleStatus up(std::string name, std::string module) {
  ModuleStatus m;
  m.name = std::move(name);
  m.module = std::move(module);
  m.state = "up";
  m.uptime = 100'000;
  m.last_alive = 1;
  return m;
}

QueueStatus quiet() {
  QueueStatus q;
  q.known = true;
  q.free_octets = 50ULL << 30;
  return q;
}

}  // namespace

TEST_CASE("status: read from what the processes print") {
  SystemStatus s = read_system_status(
      json(R"({"hostname":"h","processes":[{"name":"smtpd.1","module":"SMTP-Accept","state":"up","pid":5,)"
           R"("uptime":7,"restarts":2,"sessions":3,"served":4,"refused":5,"last_alive":-1}]})"));
  REQUIRE(s.known);
  REQUIRE(s.modules.size() == 1);
  CHECK(s.modules[0].module == "SMTP-Accept");
  CHECK(s.modules[0].restarts == 2);
  CHECK(s.modules[0].last_alive == -1);
  CHECK_FALSE(read_system_status(Json()).known);

  QueueStatus q = read_queue_status(
      json(R"({"messages":9,"octets":100,"waiting":7,"free_octets":5000})"),
      json(R"({"recipients":7,"messages":3,"states":{"new":1,"active":2,"deferred":3,"held":1}})"),
      json(R"({"arrival":"2026-11-26T02:25:00Z"})"), 1795659900 + 60);
  CHECK(q.known);
  CHECK(q.waiting == 7);
  CHECK(q.messages == 3);
  CHECK(q.deferred == 3);
  CHECK(q.held == 1);
  CHECK(q.oldest == 60);
  CHECK(q.free_octets == 5000);
  QueueStatus none = read_queue_status(Json(), Json(), Json(), 0);
  CHECK_FALSE(none.known);
  CHECK_FALSE(none.oldest);
}

TEST_CASE("status: what needs attention, the worst first") {
  SystemStatus s;
  s.known = true;
  s.modules = {up("dispatcher", "Dispatcher"), up("smtpd.1", "SMTP-Accept")};
  s.modules[0].last_alive = -1;
  QueueStatus q = quiet();
  CHECK(whats(s, q).empty());

  SECTION("modules") {
    s.modules[1].state = "waiting";
    CHECK(whats(s, q) == "!SMTP-Accept (smtpd.1) is not up: waiting;");
    s.modules[1] = up("smtpd.1", "SMTP-Accept");
    s.modules[1].last_alive = 31;
    CHECK(s.modules[1].silent());
    CHECK(whats(s, q) == "!SMTP-Accept (smtpd.1) has said nothing for 31 s;");
    s.modules[1].state = "waiting";  // it says nothing because it is not there
    CHECK_FALSE(s.modules[1].silent());
    s.modules[1] = up("smtpd.1", "SMTP-Accept");
    s.modules[1].restarts = 3;
    CHECK(whats(s, q).empty());
    s.modules[1].uptime = 60;
    CHECK(whats(s, q) == "?SMTP-Accept (smtpd.1) was started again 60 s ago;");
  }
  SECTION("queue") {
    q.held = 1;
    CHECK(whats(s, q) == "?1 recipient is held;");
    q.held = 0;
    q.deferred = 2;
    q.oldest = 4 * 3600;
    CHECK(whats(s, q).empty());
    q.oldest = 4 * 3600 + 1;
    CHECK(whats(s, q) == "?The oldest mail has waited for 4 h;");
  }
  SECTION("disk, certificate, log-ins") {
    s.disks = {{"mailbox", "/m", (1ULL << 30) - 1, 1ULL << 40}, {"log", "/l", 0, 0}};
    s.certificates = {{"/c.pem", "mail", "60 days left", 60}, {"/w.pem", "web", "14 days left", 14}};
    s.failed_log_ins = 200;
    CHECK(whats(s, q) ==
          "?Only 1024 MiB are left on the disk of the mailbox directory;?The certificate for web ends in "
          "14 days;"
          "?200 failed log-ins in the last day;");
    s.disks[0].free = 1 << 20;
    s.certificates[0].days = -1;
    s.failed_log_ins = 199;
    CHECK(whats(s, q) ==
          "!Only 1.0 MiB are left on the disk of the mailbox directory;!The certificate for mail has ended;");
    s.disks.clear();
    s.certificates.pop_back();
    s.certificates[0].days = 15;
    q.known = false;  // nothing is said of what is not known
    CHECK(whats(s, q).empty());
  }
}

TEST_CASE("status: rates of the last day, and what was not counted") {
  // The system was started at the end of the first step.
  SystemStatus s = read_system_status(json(
      R"({"now":2400,"started":600,"history":{"step_seconds":600,"end":2400,"served":{"SMTP-Accept":[0,1,2,3]},)"
      R"("refused":{"SMTP-Accept":[0,0,0,4],"Account-Manager":[9,5,0,6],"SMTP-Deliver":[1]}}})"));
  REQUIRE(s.rates.rates.size() == 3);  // one of another length is left out
  CHECK(s.rates.end == 2400);
  CHECK(s.rates.step == std::chrono::seconds(600));
  using Counts = std::vector<std::optional<std::uint64_t>>;
  CHECK(s.rates.rates[0].counts == Counts{{}, 1, 2, 3});
  CHECK_FALSE(s.rates.rates[0].bad);
  CHECK(s.rates.rates[1].bad);
  CHECK(s.failed_log_ins == 11);
  CHECK_FALSE(read_system_status(json(R"({"history":null})")).failed_log_ins);
}

TEST_CASE("status: the loss of each module is told") {
  for (const char* module : {"Dispatcher", "Account-Manager", "Queue", "SMTP-Accept", "POP3-Server",
                             "SMTP-Deliver", "WWW-Server", "Finger-Server", "Story"}) {
    CAPTURE(module);
    CHECK_FALSE(loss_without(module).empty());
  }
}
