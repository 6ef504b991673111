// The pages with everything around them played: a browser that asks without HTTP, and accounts, queue and
// story at the far ends of the pipes.
#pragma once

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/channel.h"
#include "lib/web_messages.h"
#include "wwwd/handler.h"
#include "wwwd/setup_desk.h"
#include "wwwd/site.h"

namespace wwwd_test {

using namespace po::messages;

class PlayedExchange final : public wwwd::Exchange {
 public:
  explicit PlayedExchange(wwwd::Request request) { request_ = std::move(request); }
  [[nodiscard]] bool done() const override { return gone || ended || (answered && !begun); }
  void on_done(std::function<void()> callback) override {
    if (done()) return callback();
    on_done_.push_back(std::move(callback));
  }
  void answer(wwwd::Response r) override {
    if (gone) return;
    take(std::move(r));
    is_done();
  }
  void begin(wwwd::Response r) override {
    if (gone) return;
    begun = true;
    take(std::move(r));
  }
  void write(std::string_view piece) override { response.body += piece; }
  [[nodiscard]] std::size_t queued() const override { return waiting; }
  void on_drained(std::function<void()> callback) override { drained_ = std::move(callback); }
  void end() override {
    ended = true;
    is_done();
  }
  void abort(std::string_view) override { end(); }
  void pause_body() override {}
  void resume_body() override {}
  void look_up_name(std::function<void()> callback) override {
    request_.name_looked_up = true;
    request_.client_name = "desk.podunk.edu";
    callback();
  }
  void set_account(std::string a) override { account = std::move(a); }
  void wait_longer() override {}

  /// The client has taken all that waited for it.
  void drain() {
    waiting = 0;
    if (drained_) drained_();
  }
  /// The client is gone.
  void leave() {
    gone = true;
    is_done();
  }

  bool answered = false, begun = false, ended = false, gone = false;
  std::size_t waiting = 0;
  wwwd::Response response;
  std::string account;

 private:
  void take(wwwd::Response r) {
    REQUIRE_FALSE(answered);
    answered = true;
    response = std::move(r);
  }
  void is_done() {
    drained_ = nullptr;
    for (const auto& callback : std::exchange(on_done_, {})) callback();
  }
  std::function<void()> drained_;
  std::vector<std::function<void()>> on_done_;
};

/// One process at the far end of a pipe: answers each kind of question by what was set for it.
class Played {
 public:
  Played(const po::Loop& loop, po::Fd fd)
      : channel_(
            loop, std::move(fd), [this](po::Frame& f) { return on_frame(f); }, [](std::string_view) {}) {}

  template <class Q, class A>
  void answers(std::function<A(const Q&)> with) {
    handlers_[Q::kType] = [this, with](po::Frame& frame) {
      Q question;
      REQUIRE(frame.decode(question));
      channel_.send(frame.serial, with(question));
    };
  }
  /// Keeps silent to that kind.
  template <class Q>
  void hears(std::function<void(std::uint32_t serial, const Q&)> what) {
    handlers_[Q::kType] = [what](po::Frame& frame) {
      Q question;
      REQUIRE(frame.decode(question));
      what(frame.serial, question);
    };
  }
  template <class M>
  void send(std::uint32_t serial, const M& m) {
    channel_.send(serial, m);
  }
  std::vector<std::uint16_t> asked;

 private:
  bool on_frame(po::Frame& frame) {
    asked.push_back(frame.type);
    auto found = handlers_.find(frame.type);
    if (found != handlers_.end()) found->second(frame);
    return true;
  }
  std::map<std::uint16_t, std::function<void(po::Frame&)>> handlers_;
  po::Channel channel_;
};

inline wwwd::Parameters parameters(std::vector<std::pair<std::string, std::string>> pairs) {
  wwwd::Parameters out;
  for (auto& [name, value] : pairs) out.add(name, value);
  return out;
}

/// The site, and a session with the token "t" and the seal "s" that belongs to `who`.
class Office {
 public:
  /// `desk`: for the set-up page; it asks no DNS.
  explicit Office(bool desk = false)
      : site(loop, log, "mail.podunk.edu", desk ? desk_without_dns() : nullptr) {
    connect();
    who.standing = WebStanding::kGood;
    who.account = 7;
    who.address = "jane@podunk.edu";
    who.name = "Jane Lee";
    who.seal = "s";
    who.idle_seconds = 300;
    accounts->answers<WebLook, WebSession>(
        [this](const WebLook& look) { return look.caller.token == "t" ? who : WebSession{}; });
  }

  void connect() {
    accounts = connect(Role::kAccounts);
    queue = connect(Role::kQueue);
    story = connect(Role::kStory);
  }
  std::unique_ptr<Played> connect(Role role) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    Peer peer;
    peer.role = role;
    site.on_peer(peer, po::Fd(fds[0]));
    return std::make_unique<Played>(loop, po::Fd(fds[1]));
  }

  std::shared_ptr<PlayedExchange> ask(wwwd::Request request, bool logged_in = true) {
    auto exchange = begin(std::move(request), logged_in);
    turn([&] { return exchange->answered; });
    return exchange;
  }
  std::shared_ptr<PlayedExchange> begin(wwwd::Request request, bool logged_in = true) {
    request.client.family = 4;
    request.client.octets = {192, 0, 2, 1};
    request.https = true;
    request.origin = "https://mail.podunk.edu";
    if (logged_in) request.fields.emplace_back("cookie", cookie);
    auto exchange = std::make_shared<PlayedExchange>(std::move(request));
    site.on_request(exchange);
    return exchange;
  }
  /// `target`: path and query.
  wwwd::Response get(std::string target, bool logged_in = true) {
    return ask(request_for(std::move(target)), logged_in)->response;
  }
  wwwd::Response post(std::string target, std::vector<std::pair<std::string, std::string>> form,
                      bool logged_in = true) {
    return ask(form_for(std::move(target), std::move(form)), logged_in)->response;
  }

  /// Until it holds, or a second has gone.
  void turn(const std::function<bool()>& holds) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (!holds() && std::chrono::steady_clock::now() < end) {
      po::Event soon;
      soon.after(loop, std::chrono::milliseconds(1), [this] { loop.stop(); });
      loop.run();
    }
  }

  static wwwd::Request request_for(std::string target) {
    wwwd::Request request;
    std::size_t query = target.find('?');
    request.path = target.substr(0, query);
    if (query != std::string::npos)
      request.query = wwwd::parse_parameters(std::string_view(target).substr(query + 1)).value();
    return request;
  }

  static wwwd::Request form_for(std::string target, std::vector<std::pair<std::string, std::string>> form) {
    wwwd::Request request = request_for(std::move(target));
    request.method = wwwd::Method::kPost;
    request.media_type = "application/x-www-form-urlencoded";
    request.form = parameters(std::move(form));
    return request;
  }

  std::shared_ptr<wwwd::SetupDesk> desk_without_dns() {
    return std::make_shared<wwwd::SetupDesk>(loop, po::ResolverOptions{}, "mail.podunk.edu",
                                             std::vector<NetAddress>{});
  }

  po::Loop loop;
  po::Log log;
  wwwd::Site site;
  std::unique_ptr<Played> accounts, queue, story;
  WebSession who;
  std::string cookie = "__Host-post.office=t";
};

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace wwwd_test
