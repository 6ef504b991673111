#include "wwwd/system_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "wwwd/words.h"

namespace wwwd {

namespace {

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
  return m;
}

CertificateStatus read_certificate(const Json& c) {
  CertificateStatus out{shortened(c["file"].text(), 300),
                        shortened(c["used_by"].text(), 60),
                        shortened(c["text"].text(), 200),
                        {}};
  if (c["days"].is_number()) out.days = c["days"].integer();
  return out;
}

/// The counters that tell most, and what they count.
struct Line {
  std::string_view name, one, module, which;
};
constexpr Line kLines[] = {{"Messages taken in", "message", "SMTP-Accept", "served"},
                           {"Delivered elsewhere", "recipient", "SMTP-Deliver", "served"},
                           {"Messages fetched", "message", "POP3-Server", "served"},
                           {"Refused at the door", "refusal", "SMTP-Accept", "refused"},
                           {"Attempts that failed", "attempt", "SMTP-Deliver", "refused"},
                           {"Failed log-ins", "log-in", "Account-Manager", "refused"}};

/// A step that ended before the system was started was not counted.
Rate read_rate(const Json& history, const Line& line, const Rates& rates, std::int64_t started) {
  Rate rate{std::string(line.name), std::string(line.one), {}, line.which == "refused"};
  const auto& counts = history[line.which][line.module].items();
  std::size_t steps = std::min(counts.size(), kMostBars);
  for (std::size_t i = counts.size() - steps; i < counts.size(); ++i) {
    std::int64_t end = rates.end - static_cast<std::int64_t>(counts.size() - i - 1) * rates.step.count();
    rate.counts.push_back(end <= started ? std::nullopt : std::optional(counts[i].count()));
  }
  return rate;
}

void read_history(const Json& status, SystemStatus& out) {
  const Json& history = status["history"];
  out.rates.end = history["end"].integer();
  out.rates.step = std::chrono::seconds(history["step_seconds"].integer());
  for (const Line& line : kLines) {
    Rate rate = read_rate(history, line, out.rates, status["started"].integer());
    bool fits = out.rates.rates.empty() || rate.counts.size() == out.rates.rates.front().counts.size();
    if (rate.counts.empty() || !fits) continue;
    if (line.module == "Account-Manager") {
      out.failed_log_ins = 0;
      for (const auto& n : rate.counts) *out.failed_log_ins += n.value_or(0);
    }
    out.rates.rates.push_back(std::move(rate));
  }
}

}  // namespace

SystemStatus read_system_status(const Json& status) {
  SystemStatus out;
  out.known = !status["processes"].items().empty();
  for (const Json& process : status["processes"].items()) out.modules.push_back(read_module(process));
  for (const Json& c : status["certificates"].items()) out.certificates.push_back(read_certificate(c));
  for (const Json& d : status["disks"].items())
    out.disks.push_back({shortened(d["name"].text(), 60), shortened(d["path"].text(), 300), d["free"].count(),
                         d["size"].count()});
  for (const Json& p : status["ports"].items())
    out.ports.push_back({shortened(p["service"].text(), 60), shortened(p["protocol"].text(), 60),
                         shortened(p["address"].text(), 100), shortened(p["program"].text(), 60),
                         p["tls"].flag()});
  read_history(status, out);
  return out;
}

const CertificateStatus* SystemStatus::shortest_certificate() const {
  auto days = [](const CertificateStatus& c) {
    return c.days.value_or(std::numeric_limits<std::int64_t>::max());
  };
  auto at = std::min_element(certificates.begin(), certificates.end(),
                             [&](const auto& a, const auto& b) { return days(a) < days(b); });
  return at == certificates.end() ? nullptr : &*at;
}

QueueStatus read_queue_status(const Json& status, const Json& summary, const Json& oldest, std::time_t now) {
  QueueStatus out;
  out.known = status["waiting"].is_number();
  out.waiting = status["waiting"].count();
  out.free_octets = status["free_octets"].count();
  out.store_octets = status["octets"].count();
  out.messages = summary["messages"].count();
  const Json& states = summary["states"];
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
  } else if (m.silent()) {
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

void look_at_disk(const DiskStatus& d, std::vector<Concern>& out) {
  if (d.size == 0 || d.free >= kLittleSpace) return;
  out.push_back(
      {d.free < kNoSpace ? Weight::kWrong : Weight::kLook,
       fmt::format("Only {} are left on the disk of the {} directory", octets_text(d.free), d.name),
       fmt::format("When there is no room, mail is refused for the time being, and nothing is lost. Make "
                   "room at {}, or lower the limits of mailboxes.",
                   d.path),
       "/settings/system-configuration", "System Configuration"});
}

void look_at_certificate(const SystemStatus& s, std::vector<Concern>& out) {
  const CertificateStatus* c = s.shortest_certificate();
  if (c == nullptr || !c->days || *c->days > kSoon) return;
  bool over = *c->days < 0;
  out.push_back(
      {over ? Weight::kWrong : Weight::kLook,
       fmt::format("The certificate for {} {}", c->used_by,
                   over ? std::string("has ended")
                        : fmt::format("ends in {}", count_of(static_cast<std::uint64_t>(*c->days), "day"))),
       fmt::format("Mail programs and browsers refuse to connect, or warn, when it has. Put a new one into "
                   "{}; post.office reload takes it without ending a session.",
                   c->file),
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
  for (const DiskStatus& d : system.disks) look_at_disk(d, out);
  look_at_certificate(system, out);
  look_at_queue(queue, out);
  look_at_log_ins(system, out);
  std::stable_sort(out.begin(), out.end(),
                   [](const Concern& a, const Concern& b) { return a.weight < b.weight; });
  return out;
}

}  // namespace wwwd
