// Deliveries over real sockets, to servers of the test's own in the same loop.
#include "deliver/delivery.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lib/listener.h"
#include "lib/net_address.h"

namespace {

using namespace deliver;
using namespace po::messages;
using namespace std::chrono_literals;
using po::Fd;

/// What a server says to each command, by its first word; what is not in it is 250.
using Manners = std::map<std::string, std::string>;

/// An SMTP server that takes everything, but for its manners.
class SmtpServer {
 public:
  SmtpServer(const po::Loop& loop, Manners manners) : loop_(loop), manners_(std::move(manners)) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    socklen_t size = sizeof in;
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&in), size) == 0);
    REQUIRE(::listen(fd.get(), 100) == 0);
    REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&in), &size) == 0);
    port = ntohs(in.sin_port);
    listener_.emplace(loop, std::move(fd), [this](Fd client, const NetAddress&) {
      ++connections;
      sessions_.push_back(std::make_unique<Session>(*this, std::move(client)));
    });
  }
  void stop() { listener_.reset(); }
  Manners& manners() { return manners_; }

  std::uint16_t port = 0;
  int connections = 0;
  std::vector<std::string> messages;  ///< contents
  std::vector<std::string> commands;

 private:
  struct Session : po::StreamHandler {
    SmtpServer& server;
    po::Stream stream;
    bool data = false, handshake = false, closing = false;
    std::string content;
    Session(SmtpServer& s, Fd fd) : server(s), stream(s.loop_, std::move(fd), *this) {
      say("connect", "220 hi");
    }
    void say(const std::string& key, const std::string& otherwise) {
      auto at = server.manners_.find(key);
      std::string text = at == server.manners_.end() ? otherwise : at->second;
      if (closing) return;
      closing = text == "close" || text.starts_with("421");
      if (!text.empty() && text != "close") stream.write(text + "\r\n");
      if (closing) stream.close_after_flush();
    }
    std::size_t on_input(std::string_view input) override {
      if (handshake) {
        say("handshake", "close");
        return input.size();
      }
      std::size_t used = 0;
      for (std::size_t end; (end = input.find("\r\n", used)) != std::string_view::npos; used = end + 2)
        on_line(std::string(input.substr(used, end - used)));
      return used;
    }
    void on_line(const std::string& line) {
      if (data && line != ".") {
        content += line + "\r\n";
        return;
      }
      if (data) {
        data = false;
        server.messages.push_back(std::exchange(content, {}));
        return say("end", "250 2.0.0 taken");
      }
      server.commands.push_back(line);
      std::string word = line.substr(0, line.find(' '));
      if (word == "DATA") {
        data = !server.manners_.contains("DATA");
        return say("DATA", "354 go");
      }
      handshake = word == "STARTTLS";
      if (word == "EHLO") return say("EHLO", "250-me\r\n250 PIPELINING");
      if (word == "RCPT" && server.manners_.contains(line)) return say(line, "");
      say(word, "250 ok");
    }
    void on_idle() override {}
    void on_closed(std::string_view) override {}
  };
  const po::Loop& loop_;
  Manners manners_;
  std::optional<po::Listener> listener_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

struct TestOffice : Office {
  po::Loop loop_;
  po::Log log_;
  Pool pool_{loop_};
  po::Resolver resolver_;
  RelayPasswords passwords_{loop_, log_};
  OwnHost own_{"me.example", {}, {}};
  Chance chance_ = [](std::size_t below) { return below - 1; };
  std::vector<JobDone> answers;
  std::vector<std::shared_ptr<Delivery>> all;
  std::size_t wanted = 0;

  explicit TestOffice(const std::string& hosts = "") : resolver_(loop_, options(hosts)) {}
  static po::ResolverOptions options(const std::string& hosts) {
    po::ResolverOptions o;
    o.hosts = hosts;
    return o;
  }
  const po::Loop& loop() override { return loop_; }
  po::Log& log() override { return log_; }
  Pool& pool() override { return pool_; }
  po::Resolver& resolver() override { return resolver_; }
  RelayPasswords& passwords() override { return passwords_; }
  const OwnHost& own() override { return own_; }
  const Chance& chance() override { return chance_; }
  std::shared_ptr<const po::TlsContext> tls(TlsLevel, std::string&) override {
    return *po::TlsContext::make_client();
  }
  void on_done(Delivery&, const JobDone& answer) override {
    answers.push_back(answer);
    if (answers.size() >= wanted) loop_.stop();
  }

  Delivery& deliver(Job job) {
    all.push_back(
        std::make_shared<Delivery>(*this, static_cast<std::uint32_t>(all.size()), std::move(job), Fd()));
    all.back()->start();
    return *all.back();
  }
  /// Until `n` answers in all.
  void wait(std::size_t n) {
    wanted = n;
    if (answers.size() < n) loop_.run();
  }
  JobDone one(Job job) {
    deliver(std::move(job));
    wait(answers.size() + 1);
    return answers.back();
  }
};

Job job_to(std::uint16_t port, std::vector<std::string> recipients = {"x@y.example"},
           std::string host = "[127.0.0.1]") {
  Job job;
  job.hop.host = std::move(host);
  job.hop.name = job.hop.host + ":" + std::to_string(port);
  job.hop.by_mx = false;
  job.hop.port = port;
  job.sender = "a@b.example";
  for (std::size_t i = 0; i < recipients.size(); ++i)
    job.recipients.push_back({static_cast<std::uint32_t>(i) + 10, recipients[i], 0, ""});
  job.body = "Subject: x\r\n\r\nhi\r\n";
  job.size = job.body.size();
  return job;
}

std::string show(const JobDone& d) {
  const char* states[] = {"served", "unavailable", "busy", "unseen"};
  const char* kinds[] = {"done", "temporary", "permanent"};
  std::string out = states[static_cast<int>(d.hop)];
  for (const JobOutcome& o : d.outcomes)
    out += " " + std::to_string(o.n) + ":" + kinds[static_cast<int>(o.kind)] + ":" + o.status;
  return out;
}

}  // namespace

TEST_CASE("delivery: done, and the connection is used again") {
  TestOffice office;
  SmtpServer server(office.loop_, {});
  CHECK(show(office.one(job_to(server.port))) == "served 10:done:2.0.0");
  CHECK(office.answers[0].host == "[127.0.0.1]:" + std::to_string(server.port));
  CHECK(show(office.one(job_to(server.port))) == "served 10:done:2.0.0");
  CHECK(server.connections == 1);
  CHECK(server.messages == std::vector<std::string>(2, "Subject: x\r\n\r\nhi\r\n"));
  // Another user, source, TLS level or name is another connection.
  Job other = job_to(server.port);
  other.hop.helo = "other.example";
  CHECK(show(office.one(other)) == "served 10:done:2.0.0");
  CHECK(server.connections == 2);
  CHECK(server.commands.back() == "DATA");
}

TEST_CASE("delivery: a kept connection that the host has given up costs nothing") {
  TestOffice office;
  SmtpServer server(office.loop_, {});
  office.one(job_to(server.port));
  server.manners()["MAIL"] = "421 4.4.2 idle for too long";
  po::Event change;
  office.deliver(job_to(server.port));
  change.after(office.loop_, 20ms, [&] { server.manners().clear(); });
  office.wait(2);
  // The new connection may have heard 421 as well, if it came before the change.
  bool done = show(office.answers[1]) == "served 10:done:2.0.0";
  CHECK((done || office.answers[1].hop == HopState::kUnavailable));
  CHECK(server.connections == 2);
}

TEST_CASE("delivery: each recipient has its outcome, once") {
  TestOffice office;
  SmtpServer server(office.loop_, {{"RCPT TO:<b@y.example>", "550 5.1.1 no"},
                                   {"RCPT TO:<c@y.example>", "450 4.2.1 later"},
                                   {"RCPT TO:<d@y.example>", "452 4.5.3 too many"}});
  server.manners()["RCPT TO:<d@y.example>"] = "452 4.5.3 too many";
  auto done = office.one(job_to(server.port, {"a@y.example", "b@y.example", "c@y.example"}));
  CHECK(show(done) == "served 11:permanent:5.1.1 12:temporary:4.2.1 10:done:2.0.0");
  // Who was one too many goes with the next transaction; alone, the same words are an answer.
  done = office.one(job_to(server.port, {"a@y.example", "d@y.example"}));
  CHECK(show(done) == "served 10:done:2.0.0 11:temporary:4.5.3");
  // RFC 2920 3.1: who says 354 although all were refused gets an empty message.
  CHECK(server.messages ==
        std::vector<std::string>{"Subject: x\r\n\r\nhi\r\n", "Subject: x\r\n\r\nhi\r\n", ""});
}

TEST_CASE("delivery: sent away, refused, gone") {
  TestOffice office;
  struct Row {
    Manners manners;
    const char* expected;
  };
  const Row rows[] = {
      {{{"connect", "421 4.3.2 busy"}}, "unavailable 10:temporary:4.3.2"},
      {{{"connect", "554 5.7.1 not you"}}, "unavailable 10:permanent:5.7.1"},
      {{{"connect", "close"}}, "unavailable 10:temporary:4.4.2"},
      {{{"EHLO", "close"}}, "unavailable 10:temporary:4.4.2"},
      {{{"MAIL", "550 5.7.1 not this sender"}}, "served 10:permanent:5.7.1"},
      {{{"MAIL", "421 4.3.2 busy"}}, "unavailable 10:temporary:4.3.2"},
      {{{"RCPT", "close"}}, "served 10:temporary:4.4.2"},
      {{{"DATA", "451 4.3.0 later"}}, "served 10:temporary:4.3.0"},
      {{{"end", "554 5.6.0 no"}}, "served 10:permanent:5.6.0"},
      {{{"end", "close"}}, "served 10:temporary:4.4.2"},
      {{{"connect", "hello"}}, "unavailable 10:temporary:4.5.0"},
  };
  for (const Row& row : rows) {
    SmtpServer server(office.loop_, row.manners);
    INFO(row.manners.begin()->first << " " << row.manners.begin()->second);
    CHECK(show(office.one(job_to(server.port))) == row.expected);
  }
  SmtpServer gone(office.loop_, {});
  gone.stop();
  CHECK(show(office.one(job_to(gone.port))) == "unavailable 10:temporary:4.4.1");
}

TEST_CASE("delivery: the next address of the same host") {
  // 127.0.0.1 first, by the file; nobody listens at the others.
  TestOffice office("127.0.0.9 two.example\n127.0.0.8 two.example\n127.0.0.1 two.example\n");
  SmtpServer server(office.loop_, {});
  CHECK(show(office.one(job_to(server.port, {"x@y.example"}, "two.example"))) == "served 10:done:2.0.0");
  CHECK(office.answers[0].host == "two.example[127.0.0.1]:" + std::to_string(server.port));
  NetAddress dead = *po::parse_address("127.0.0.9");
  dead.port = server.port;
  CHECK(office.pool_.dead().contains(dead, std::chrono::steady_clock::now()));
  CHECK_FALSE(office.pool_.dead().contains(dead, std::chrono::steady_clock::now() + 61s));
  CHECK(show(office.one(job_to(server.port, {"x@y.example"}, "none.example"))) ==
        "unavailable 10:temporary:4.3.5");
}

TEST_CASE("delivery: TLS that does not work is done without, where it may") {
  TestOffice office;
  // The server goes on in clear: what it says is no handshake.
  SmtpServer server(office.loop_, {{"EHLO", "250-me\r\n250 STARTTLS"},
                                   {"STARTTLS", "220 go"},
                                   {"handshake", "250 not a handshake at all, and long enough to be seen"}});
  CHECK(show(office.one(job_to(server.port))) == "served 10:done:2.0.0");
  CHECK(office.answers[0].tls == "");
  CHECK(server.connections == 2);
  Job must = job_to(server.port);
  must.hop.tls = TlsLevel::kRequired;
  CHECK(show(office.one(must)) == "unavailable 10:temporary:4.7.5");
}

TEST_CASE("delivery: a refusal beside others that go on means too many") {
  TestOffice office;
  SmtpServer server(office.loop_, {{"end", ""}});  // the first never hears the end
  office.deliver(job_to(server.port));
  po::Event later;
  later.after(office.loop_, 50ms, [&] {
    server.manners()["connect"] = "554 5.7.0 too many connections";
    office.deliver(job_to(server.port));
  });
  office.wait(1);
  CHECK(show(office.answers[0]) == "busy 10:temporary:4.7.0");
  // A stop waits for the answer that is due, and then does not.
  office.all[0]->stop("4.3.2", "stopping", true);
  CHECK(office.answers.size() == 1);
  office.all[0]->stop("4.3.2", "stopping", false);
  CHECK(show(office.answers[1]) == "unseen 10:temporary:4.3.2");
}

TEST_CASE("delivery: the whole attempt has an end") {
  TestOffice office;
  SmtpServer server(office.loop_, {{"connect", ""}});
  Delivery& d = office.deliver(job_to(server.port));
  po::Event later;
  later.after(office.loop_, 20ms, [&] { d.tick(std::chrono::steady_clock::now() + 30min); });
  office.wait(1);
  // A host that kept us all this time is none that works.
  CHECK(show(office.answers[0]) == "unavailable 10:temporary:4.4.2");
}
