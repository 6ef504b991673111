// Starts one smtp-deliver as the dispatcher would, speaks with it as queue does, and shows what it answers:
//     deliver_probe [OPTION=VALUE]... PROGRAM HOP SENDER RECIPIENT...
// HOP: a domain (by MX), HOST:PORT or [ADDRESS]:PORT. Options: resolver=, smtp= (where this host takes mail),
// hostname=, tls=none|opportunistic|required|verified, user=, password=, source=, helo=, body=FILE (else a
// short message), in-file, eight-bit, utf8, hosts (ask which hosts, send nothing), log=FILE, landlock is the
// kernel's; count=N jobs, atonce=N of them at the same time, quiet (one line at the end, with the time).
// Exit: 0 if all recipients of all jobs were served, 75 if one is to be tried later, 69 if one is refused.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "lib/channel.h"
#include "lib/fd.h"
#include "lib/id.h"
#include "lib/messages.h"

using namespace po::messages;
using po::BlockingChannel;
using po::Fd;

namespace {

using Options = std::map<std::string, std::string>;

[[noreturn]] void die(const std::string& why) {
  fmt::print(stderr, "deliver_probe: {}\n", why);
  std::exit(64);
}

std::pair<Fd, Fd> make_pair_or_die() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) die("socketpair");
  return {Fd(ends[0]), Fd(ends[1])};
}

pid_t start(const std::string& program, int control, int log) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  // Away from the numbers that they go to.
  int c = fcntl(control, F_DUPFD, 20), l = fcntl(log, F_DUPFD, 20), n = socket(AF_INET, SOCK_DGRAM, 0);
  dup2(c, 3);
  dup2(l, 4);
  dup2(n, 5);
  for (int fd = 6; fd < 64; ++fd) ::close(fd);
  execl(program.c_str(), program.c_str(), nullptr);
  _exit(127);
}

NextHop hop_of(const std::string& text, const Options& o) {
  NextHop hop;
  hop.name = hop.host = text;
  std::size_t colon = text.rfind(':');
  if (colon != std::string::npos && text.find(']', colon) == std::string::npos) {
    hop.by_mx = false;
    hop.host = text.substr(0, colon);
    hop.port = static_cast<std::uint16_t>(std::atoi(text.c_str() + colon + 1));
  }
  const char* levels[] = {"none", "opportunistic", "required", "verified"};
  for (int i = 0; i < 4; ++i) {
    if (o.contains("tls") && o.at("tls") == levels[i]) hop.tls = static_cast<TlsLevel>(i);
  }
  for (auto [key, field] : {std::pair{"user", &hop.user}, {"source", &hop.source}, {"helo", &hop.helo}}) {
    if (o.contains(key)) *field = o.at(key);
  }
  return hop;
}

std::string content_of(const Options& o) {
  if (!o.contains("body")) return "From: a@b.example\r\nSubject: a test\r\n\r\nBody.\r\n.\r\n";
  std::ifstream in(o.at("body"), std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Fd file_with(const std::string& content) {
  char name[] = "/tmp/deliver_probe.XXXXXX";
  Fd fd(mkstemp(name));
  unlink(name);
  if (!fd || write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    die("file");
  return fd;
}

void show(const JobDone& done) {
  const char* states[] = {"served", "unavailable", "busy"};
  fmt::print("{} host={} tls={} dsn={}\n", states[static_cast<int>(done.hop)],
             done.host.empty() ? "-" : done.host, done.tls.empty() ? "-" : done.tls, done.dsn ? "yes" : "no");
  const char* kinds[] = {"done", "temporary", "permanent"};
  for (const JobOutcome& out : done.outcomes) {
    fmt::print("{} {} {} {} {}\n", out.n, kinds[static_cast<int>(out.kind)], out.status,
               out.remote ? "theirs" : "ours", out.reply);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  int at = 1;
  for (; at < argc && argv[at][0] != '/' && argv[at][0] != '.' && std::strncmp(argv[at], "build", 5) != 0;
       ++at) {
    std::string word = argv[at];
    std::size_t eq = word.find('=');
    options[word.substr(0, eq)] = eq == std::string::npos ? "" : word.substr(eq + 1);
  }
  if (argc - at < (options.contains("hosts") ? 2 : 4)) die("see the head of the source");
  signal(SIGPIPE, SIG_IGN);
  auto [control, theirs] = make_pair_or_die();
  Fd log(open(options.contains("log") ? options["log"].c_str() : "/dev/null",
              O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  pid_t pid = start(argv[at], theirs.get(), log.get());
  theirs.reset();
  BlockingChannel to_module(std::move(control));
  Welcome w;
  w.name = "smtp-deliver.1";
  w.incarnation = 7;
  w.hostname = options.contains("hostname") ? options["hostname"] : "probe.example";
  if (options.contains("resolver")) w.resolvers = {options["resolver"]};
  if (options.contains("smtp")) w.smtp_endpoints = {options["smtp"]};
  auto [queue, its_queue] = make_pair_or_die();
  auto [accounts, its_accounts] = make_pair_or_die();
  if (!to_module.send(0, w) || !to_module.send_with(its_queue.get(), 0, Peer{Role::kQueue, "queue", 2}) ||
      !to_module.send_with(its_accounts.get(), 0, Peer{Role::kAccounts, "accounts", 1}) ||
      !to_module.send(0, Start{}))
    die("it does not listen");
  auto ready = to_module.receive(10);
  if (!ready || ready->type != Ready::kType) die("it does not begin");
  its_queue.reset();
  its_accounts.reset();
  BlockingChannel pipe(std::move(queue));
  NextHop hop = hop_of(argv[at + 1], options);

  if (options.contains("hosts")) {
    (void)pipe.send(1, AskHosts{hop});
    auto r = pipe.receive(60);
    Hosts hosts;
    if (!r || !r->decode(hosts)) die("no answer");
    for (const std::string& line : hosts.lines) fmt::print("{}\n", line);
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return hosts.kind == po::Kind::kDone ? 0 : hosts.kind == po::Kind::kTemporary ? 75 : 69;
  }

  Job job;
  job.hop = hop;
  job.sender = argv[at + 2];
  for (int i = at + 3; i < argc; ++i)
    job.recipients.push_back({static_cast<std::uint32_t>(i - at - 3), argv[i], 0, ""});
  std::string content = content_of(options);
  job.size = content.size();
  job.body_8bit = options.contains("eight-bit");
  job.smtputf8 = options.contains("utf8");
  job.in_file = options.contains("in-file");
  Fd file;
  if (job.in_file) {
    file = file_with(content);
  } else {
    job.body = content;
  }
  if (options.contains("user") && options.contains("password") && fork() == 0) {  // accounts
    BlockingChannel channel(std::move(accounts));
    for (;;) {
      auto r = channel.receive(1000);
      AskRelayPassword ask;
      if (!r || !r->decode(ask)) _exit(0);
      (void)channel.send(r->serial, RelayPassword{true, options["password"]});
    }
  }

  std::size_t count = options.contains("count") ? std::strtoul(options["count"].c_str(), nullptr, 10) : 1;
  std::size_t at_once = options.contains("atonce") ? std::strtoul(options["atonce"].c_str(), nullptr, 10) : 1;
  bool quiet = options.contains("quiet");
  po::IdMaker ids(9);
  std::size_t sent = 0, answered = 0, later = 0, refused = 0;
  auto began = std::chrono::steady_clock::now();
  while (answered < count) {
    while (sent < count && sent - answered < at_once) {
      job.id = ids.next(1'700'000'000'000 + static_cast<std::int64_t>(sent));
      ++sent;
      auto r = job.in_file ? pipe.send_with(file.get(), static_cast<std::uint32_t>(sent), job)
                           : pipe.send(static_cast<std::uint32_t>(sent), job);
      if (!r) die(r.error().text);
    }
    auto r = pipe.receive(1800);
    JobDone done;
    if (!r || !r->decode(done)) die("no answer to a job");
    ++answered;
    if (done.outcomes.size() != job.recipients.size()) die("not as many outcomes as recipients");
    for (const JobOutcome& out : done.outcomes) {
      later += out.kind == po::Kind::kTemporary;
      refused += out.kind == po::Kind::kPermanent;
    }
    if (!quiet) show(done);
  }
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  (void)to_module.send(0, Stop{3});
  int status = 0;
  rusage usage{};
  wait4(pid, &status, 0, &usage);
  double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  if (quiet) {
    fmt::print("{} jobs, {:.0f} a second, {:.3f} ms of processor each, {} later, {} refused\n", count,
               static_cast<double>(count) / seconds, 1000 * cpu / static_cast<double>(count), later, refused);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) die("it did not end well");
  return refused > 0 ? 69 : later > 0 ? 75 : 0;
}
