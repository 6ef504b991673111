// What an administrator may ask of a running dispatcher: status, reload, restart, stop. accounts has checked
// who asks; here it is done. (The rest of Supervisor is in supervisor.cc.)

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <ctime>

#include "dispatcher/local_socket.h"
#include "dispatcher/supervisor.h"
#include "dispatcher/version.h"
#include "lib/exit_codes.h"
#include "lib/text.h"
#include "lib/tls.h"

namespace dispatcher {

using po::Frame;
using po::Result;
using po::config::Config;
using po::messages::AdministerAnswer;
using po::messages::Role;
using po::messages::Verb;

bool Supervisor::on_administer(Child& child, const Frame& frame) {
  po::messages::Administer ask;
  if (!frame.decode(ask) || ask.verb > Verb::kStatusJson) return false;
  AdministerAnswer answer;
  switch (ask.verb) {
    case Verb::kStatus:
      answer.text = status_text(head(), rows());
      break;
    case Verb::kStatusJson:
      answer.text = status_json(head(), rows());
      break;
    case Verb::kReload:
      if (auto done = reload()) {
        answer.text = *done;
      } else {
        answer.kind = done.error().kind;
        answer.text = done.error().text + "\nNothing has been changed.\n";
      }
      break;
    case Verb::kRestart:
      answer.text = "All modules are restarting; the listening sockets stay as they are.\n";
      asked_.after(loop_, std::chrono::milliseconds(100),
                   [this] { restart_modules(); });  // the answer leaves first
      break;
    case Verb::kStop:
      answer.text = "Post.Office is stopping.\n";
      asked_.after(loop_, std::chrono::milliseconds(100), [this] {
        if (on_stop_asked_) on_stop_asked_();
      });
      break;
  }
  log_.event("administer")
      .kv("verb", static_cast<unsigned>(ask.verb))
      .kv("done", answer.kind == po::Kind::kDone ? 1 : 0);
  child.control->send(frame.serial, answer);
  return true;
}

bool Supervisor::on_ask_connection(Child& child, const Frame& frame) {
  po::messages::AskConnection ask;
  if (!frame.decode(ask)) return false;
  const Config& config = instance_.config;
  auto connection = child.spec.role == Role::kAccounts
                        ? connect_to_local(config.saslauthd, "saslauthd", "saslauthd")
                        : connect_to_local(config.lmtp_socket, "the mail store", "unix-deliver");
  if (connection)
    child.control->send(frame.serial, po::messages::LocalConnection{}, std::move(*connection));
  else
    child.control->send(frame.serial, po::messages::LocalConnection{connection.error().text});
  return true;
}

/// Whoever asked may have died meanwhile; the next one asks for itself.
bool Supervisor::on_make_maildrop(Child& child, const Frame& frame) {
  po::messages::MakeMaildrop wish;
  if (!frame.decode(wish) || !po::is_unix_login(wish.login)) return false;
  maildrops_.make(std::move(wish.login), [this, incarnation = child.incarnation,
                                          serial = frame.serial](const po::messages::MaildropMade& made) {
    for (Child& one : children_) {
      if (one.incarnation == incarnation && one.control) one.control->send(serial, made);
    }
  });
  return true;
}

/// The connection of somebody who was let in; queue answers on it. While queue is down, we do.
bool Supervisor::on_pass_command(Child&, Frame& frame) {
  po::messages::PassCommand pass;
  if (!frame.decode(pass) || !frame.fd) return false;
  Child* queue = find(Role::kQueue);
  if (queue != nullptr && queue->state == State::kUp && queue->control) {
    queue->control->send(frame.serial, pass, std::move(frame.fd));
    return true;
  }
  po::messages::CommandOutput sorry;
  sorry.err = "post.office: the queue is restarting; try again in a moment\n";
  sorry.exit_code = po::kExitTemporary;
  po::BlockingChannel client(std::move(frame.fd));  // a few octets into a fresh socket do not block
  (void)client.send(frame.serial, sorry);
  return true;
}

// ---- status

static void add_certificates(const std::vector<po::config::CertificateFiles>& files,
                             const std::vector<po::messages::Certificate>& certificates,
                             std::string_view used_by, std::vector<CertificateStatus>& out) {
  for (std::size_t i = 0; i < std::min(files.size(), certificates.size()); ++i) {
    CertificateStatus one{files[i].chain, std::string(used_by), {}, {}};
    auto days = po::certificate_days_left(certificates[i].chain);
    if (days) one.days = *days;
    one.text = !days ? days.error().text : *days < 0 ? "has ended" : fmt::format("{} days left", *days);
    out.push_back(std::move(one));
  }
}

static DiskStatus disk_status(std::string name, const std::string& path) {
  DiskStatus disk{std::move(name), path, 0, 0};
  struct statvfs v {};
  if (statvfs(path.c_str(), &v) != 0) return disk;
  disk.free = static_cast<std::uint64_t>(v.f_bavail) * v.f_frsize;
  disk.size = static_cast<std::uint64_t>(v.f_blocks) * v.f_frsize;
  return disk;
}

StatusHead Supervisor::head() const {
  const Config& config = instance_.config;
  StatusHead h{config.hostname, kVersion, config.file, {}, {}, {}, 0, 0, {}};
  bool own = !instance_.web_certificates.empty();
  add_certificates(certificate_files(config), instance_.certificates, own ? "mail" : "mail and web",
                   h.certificates);
  add_certificates(config.web_certificates, instance_.web_certificates, "web", h.certificates);
  h.disks = {disk_status("spool", config.spool_directory), disk_status("mailbox", config.mailbox_directory),
             disk_status("log", config.log_directory)};
  auto add_port = [&h](const po::config::Service& s, std::string where) {
    h.ports.push_back({s.name, std::string(po::config::protocol_name(s.protocol)), std::move(where),
                       s.program, s.implicit_tls});
  };
  for (const Port& port : instance_.ports.ports) add_port(port.service, port.endpoint().text());
  for (const auto& service : config.services)
    if (service.inetd && !service.off) add_port(service, "inetd");
  h.now = std::time(nullptr);
  h.started = h.now - std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - began_).count();
  h.history = history_.json(h.now);
  return h;
}

std::vector<StatusRow> Supervisor::rows() const {
  static constexpr const char* kStates[] = {"waiting", "starting", "up", "stopping", "down"};
  auto now = Clock::now();
  auto seconds = [now](Clock::time_point t) {
    return std::chrono::duration_cast<std::chrono::seconds>(now - t).count();
  };
  std::vector<StatusRow> out;
  out.push_back({"dispatcher", module_name(Role::kDispatcher), stopping() ? "stopping" : "up", getpid(),
                 seconds(began_), 0, 0, 0, 0, 0, 0});
  for (const Child& c : children_) {
    StatusRow row;
    row.name = c.spec.name;
    row.module = module_name(c.spec.role);
    row.state = kStates[static_cast<int>(c.state)];
    row.pid = c.pid;
    row.restarts = c.restarts;
    if (c.pid != 0) {
      row.uptime = seconds(c.started);
      row.sessions = c.last.sessions;
      row.served = c.last.served;
      row.refused = c.last.failures;
      row.rate = c.rate;
      if (c.last_alive) row.last_alive = seconds(*c.last_alive);
    }
    out.push_back(std::move(row));
  }
  return out;
}

// ---- reload

/// The listening endpoints of a configuration, for comparison.
static std::vector<std::string> endpoints_of(const Config& config) {
  std::vector<std::string> out;
  for (const auto& service : config.services) {
    if (service.off) continue;
    if (service.inetd)
      out.push_back(fmt::format("{} {} inetd {}", service.name, service.program, service.implicit_tls));
    for (const auto& e : service.listen) {
      out.push_back(
          fmt::format("{} {} {} {}", service.name, service.program, e.text(), service.implicit_tls));
    }
  }
  return out;
}

/// What was changed in the file but is fixed while the dispatcher runs.
static std::string needs_restart(const Config& old, const Config& fresh) {
  std::string out;
  auto note = [&out](bool changed, const char* what) {
    if (changed) out += fmt::format("{}{}", out.empty() ? "" : ", ", what);
  };
  note(old.hostname != fresh.hostname, "hostname");
  note(old.user != fresh.user || old.group != fresh.group, "user and group");
  note(old.admin_group != fresh.admin_group, "admin-group");
  note(old.program_directory != fresh.program_directory, "program-directory");
  note(old.spool_directory != fresh.spool_directory, "spool-directory");
  note(old.mailbox_directory != fresh.mailbox_directory, "mailbox-directory");
  note(old.log_directory != fresh.log_directory || old.log_to != fresh.log_to, "log-directory and log");
  note(old.saslauthd != fresh.saslauthd, "saslauthd");
  note(old.unix_deliver != fresh.unix_deliver || old.lmtp_socket != fresh.lmtp_socket, "unix-deliver");
  note(old.resolvers != fresh.resolvers, "resolver");
  note(endpoints_of(old) != endpoints_of(fresh), "the addresses of services");
  return out;
}

Result<std::string> Supervisor::reload() {
  if (stopping()) return po::temporary("Post.Office is stopping");
  po::config::Parsed parsed = po::config::read(instance_.config.file);
  if (!parsed.problems.empty()) {
    std::string all;
    for (const std::string& p : parsed.problems) all += (all.empty() ? "" : "\n") + p;
    return po::permanent(all);
  }
  Config& fresh = parsed.config;
  Config probe = instance_.config;
  probe.certificates = fresh.certificates;
  auto certificates = read_certificates(certificate_files(probe));
  auto web = read_certificates(fresh.web_certificates);
  if (!certificates || !web) {
    return po::permanent((certificates ? web : certificates).error().text +
                         fmt::format("; the key must be readable by group {} to be reloaded without root",
                                     instance_.who.group));
  }
  std::string restart = needs_restart(instance_.config, fresh);
  instance_.certificates = std::move(*certificates);
  instance_.config.certificates = fresh.certificates;
  instance_.web_certificates = std::move(*web);
  instance_.config.web_certificates = fresh.web_certificates;
  instance_.config.log_size = fresh.log_size;
  instance_.config.log_files = fresh.log_files;
  instance_.config.log_days = fresh.log_days;
  files_.set_limits(instance_.config);
  if (auto r = files_.open(); r) {
    hand_out_log();
    files_.remove_old();
  }
  for (Child& child : children_) send_certificates(child);
  std::size_t read = instance_.certificates.size() + instance_.web_certificates.size();
  std::string said =
      fmt::format("{} certificate{} and the log file were read anew.\n", read, read == 1 ? "" : "s");
  said += apply_services(fresh);
  send_facts();
  if (!restart.empty()) said += fmt::format("These wait for `post.office restart` by root: {}.\n", restart);
  log_.event("reloaded").kv("needs_restart", restart);
  return said;
}

/// Process numbers and session limits; addresses stay as they were bound.
std::string Supervisor::apply_services(const Config& fresh) {
  instance_.config.smtp_deliver = fresh.smtp_deliver;
  for (auto& service : instance_.config.services) {
    for (const auto& now : fresh.services) {
      if (now.name != service.name || now.program != service.program) continue;
      service.processes = now.processes;
      service.sessions = now.sessions;
    }
  }
  for (Port& port : instance_.ports.ports) {
    for (const auto& service : instance_.config.services) {
      if (service.name == port.service.name) port.service.sessions = service.sessions;
    }
  }
  std::vector<ChildSpec> wanted = wanted_children(instance_.config);
  auto is_wanted = [&wanted](const Child& c) {
    return std::any_of(wanted.begin(), wanted.end(),
                       [&c](const ChildSpec& s) { return s.name == c.spec.name; });
  };
  unsigned more = 0, fewer = 0;
  for (auto it = children_.begin(); it != children_.end();) {
    Child& child = *it++;
    if (is_wanted(child) || child.dismissed) continue;
    ++fewer;
    child.dismissed = true;
    enter(child, State::kStopping);
    child.restart_timer.cancel();
    if (child.pid == 0)
      children_.remove_if([&child](const Child& c) { return &c == &child; });
    else if (child.control)
      child.control->send(0, po::messages::Stop{30});
  }
  for (ChildSpec& spec : wanted) {
    bool there = std::any_of(children_.begin(), children_.end(),
                             [&spec](const Child& c) { return c.spec.name == spec.name && !c.dismissed; });
    if (there) continue;
    ++more;
    children_.emplace_back(std::move(spec));
  }
  if (more != 0) advance_soon_.soon(loop_, [this] { advance(); });
  if (more == 0 && fewer == 0) return {};
  return fmt::format("Processes: {} more, {} fewer.\n", more, fewer);
}

}  // namespace dispatcher
