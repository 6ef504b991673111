#include "wwwd/system_status.h"

#include <fmt/format.h>

#include <algorithm>

#include "wwwd/words.h"

namespace wwwd {

namespace {

constexpr std::int64_t kSilent = 30;             // heard of each second otherwise
constexpr std::int64_t kOldHours = 4;            // by then the schedule has tried several times
constexpr std::uint64_t kLittleSpace = 1 << 30;  // octets
constexpr std::uint64_t kNoSpace = 200 << 20;
constexpr std::int64_t kSoon = 14;  // days of a certificate
constexpr std::uint64_t kManyFailures = 200;

ModuleStatus read_module(const Json& p) {
  ModuleStatus m;
  m.name = shortened(p["name"].text(), 60);
  m.module = shortened(p["module"].text(), 60);
  m.state = shortened(p["state"].text(), 30);
  m.uptime = p["uptime"].integer();
  m.last_alive = p["last_alive"].is_number() ? p["last_alive"].integer() : -1;
  m.restarts = p["restarts"].count();
  m.sessions = p["sessions"].count();
  m.served = p["served"].count();
  m.refused = p["refused"].count();
  m.rate = p["rate"].real();
  return m;
}

}  // namespace

SystemStatus read_system_status(const Json& status) {
  SystemStatus out;
  out.known = !status["processes"].items().empty();
  out.version = shortened(status["version"].text(), 60);
  for (const Json& process : status["processes"].items()) out.modules.push_back(read_module(process));
  const Json& certificate = status["certificate"];
  out.certificate = shortened(certificate["text"].text(), 200);
  if (certificate["days"].is_number()) out.certificate_days = certificate["days"].integer();
  return out;
}

QueueStatus read_queue_status(const Json& status, const Json& summary, const Json& oldest, std::time_t now) {
  QueueStatus out;
  out.known = status["waiting"].is_number();
  out.waiting = status["waiting"].count();
  out.free_octets = status["free_octets"].count();
  out.store_octets = status["octets"].count();
  out.messages = summary["messages"].count();
  const Json& states = summary["states"];
  out.fresh = states["new"].count();
  out.active = states["active"].count();
  out.deferred = states["deferred"].count();
  out.held = states["held"].count();
  if (auto arrival = parse_time(oldest["arrival"].text())) out.oldest = now - *arrival;
  return out;
}

// ---- what needs attention

std::string_view loss_without(std::string_view module) {
  struct Loss {
    std::string_view module, text;
  };
  static constexpr Loss kLosses[] = {
      {"Dispatcher", "Nothing is started again that ends."},
      {"Account-Manager", "Nobody can log in, and no account or setting can be changed."},
      {"Queue", "No mail is taken in and none is sent; those who send it wait and try again."},
      {"SMTP-Accept", "No mail is taken in; those who send it wait and try again."},
      {"POP3-Server", "Nobody can fetch mail."},
      {"SMTP-Deliver", "Mail for elsewhere waits in the queue."},
      {"WWW-Server", "These pages are served by fewer processes."},
      {"Finger-Server", "finger gets no answer."},
      {"Story", "What became of messages cannot be shown here; post.office trace can."},
  };
  auto at = std::find_if(std::begin(kLosses), std::end(kLosses),
                         [module](const Loss& l) { return l.module == module; });
  return at == std::end(kLosses) ? std::string_view() : at->text;
}

namespace {

using Weight = Concern::Weight;

std::string title_of(const ModuleStatus& m) {
  return m.name == m.module ? m.module : fmt::format("{} ({})", m.module, m.name);
}

void look_at_module(const ModuleStatus& m, std::vector<Concern>& out) {
  if (m.state != "up") {
    out.push_back(
        {Weight::kWrong, fmt::format("{} is not up: {}", title_of(m), m.state),
         fmt::format("{} It is started again by itself, each time after a longer pause. If it stays like "
                     "this, the log says why: look for proc={}.",
                     loss_without(m.module), m.name),
         "", ""});
  } else if (m.last_alive > kSilent) {
    out.push_back(
        {Weight::kWrong, fmt::format("{} has said nothing for {}", title_of(m), span_text(m.last_alive)),
         "It hangs, or the machine is overloaded. post.office restart starts everything anew.", "", ""});
  } else if (m.restarts > 0 && m.uptime < 600) {
    out.push_back(
        {Weight::kLook, fmt::format("{} was started again {} ago", title_of(m), span_text(m.uptime)),
         fmt::format("It ended unexpectedly ({} since the system was started). The log says why: look for "
                     "proc={}.",
                     count_of(m.restarts, "time"), m.name),
         "", ""});
  }
}

void look_at_queue(const QueueStatus& q, std::vector<Concern>& out) {
  if (!q.known) return;
  if (q.held > 0) {
    out.push_back(
        {Weight::kLook,
         fmt::format("{} held", q.held == 1 ? "1 recipient is" : count_text(q.held) + " recipients are"),
         "They stay until you release, return or discard them.", "/queue?state=held",
         "Look at what is held"});
  }
  if (q.oldest && *q.oldest > kOldHours * 3600 && q.deferred > 0) {
    out.push_back(
        {Weight::kLook, fmt::format("The oldest mail has waited for {}", span_text(*q.oldest)),
         fmt::format(
             "{} could not be delivered yet. Look at the reasons: a host may be down, or a route wrong.",
             q.deferred == 1 ? "1 recipient" : count_text(q.deferred) + " recipients"),
         fmt::format("/queue?state=deferred&older={}h", kOldHours), "Look at what waits"});
  }
}

void look_at_disk(const QueueStatus& q, std::vector<Concern>& out) {
  if (!q.known || q.free_octets >= kLittleSpace) return;
  bool none = q.free_octets < kNoSpace;
  out.push_back(
      {none ? Weight::kWrong : Weight::kLook,
       fmt::format("Only {} of disk space is left for mail", octets_text(q.free_octets)),
       "When there is none, mail is refused for the time being, and nothing is lost. Make room on the "
       "disk of the mailbox directory, or lower the limits of mailboxes.",
       "/settings/system-configuration", "System Configuration"});
}

void look_at_certificate(const SystemStatus& s, std::vector<Concern>& out) {
  if (!s.certificate_days || *s.certificate_days > kSoon) return;
  bool over = *s.certificate_days < 0;
  out.push_back(
      {over ? Weight::kWrong : Weight::kLook,
       over ? "The certificate has ended"
            : fmt::format("The certificate ends in {} days", *s.certificate_days),
       "Mail programs will refuse to connect, or warn. Put the new certificate where the configuration file "
       "says; post.office reload takes it without ending a session.",
       "/setup", "Set-up check"});
}

void look_at_log_ins(const SystemStatus& s, std::vector<Concern>& out) {
  if (s.failed_log_ins.value_or(0) < kManyFailures) return;
  out.push_back(
      {Weight::kLook, fmt::format("{} failed log-ins in the last day", count_text(*s.failed_log_ins)),
       "Somebody may be guessing passwords. Guessing is slowed down; a higher minimum length makes it "
       "hopeless.",
       "/settings/system-security", "System Security"});
}

}  // namespace

std::vector<Concern> concerns_of(const SystemStatus& system, const QueueStatus& queue) {
  std::vector<Concern> out;
  for (const ModuleStatus& m : system.modules) look_at_module(m, out);
  look_at_disk(queue, out);
  look_at_certificate(system, out);
  look_at_queue(queue, out);
  look_at_log_ins(system, out);
  std::stable_sort(out.begin(), out.end(),
                   [](const Concern& a, const Concern& b) { return a.weight < b.weight; });
  return out;
}

}  // namespace wwwd
