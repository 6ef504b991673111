// A program that was taken over: it starts and confines itself as smtpd, pop3d, wwwd, smtp-deliver and
// lmtp-deliver do, and then does what its master says, in octets of the master's choice.
// tests/system/rogue.py puts it in the place of these programs; the first smtpd and pop3d become the real
// ones, so that mail goes on beside it.
//
// The master is whoever connects to the service "rogue", one at a time; an smtp-deliver, which has no
// service, connects to its master, who is where its name server would be, and an lmtp-deliver has the
// dispatcher connect it to its master, who is where the mail store would be. An order is u32 length of what
// follows, u8 what, u8 target, u16 a, u32 b, octets; an answer u32 length and octets (little-endian).
// Descriptors that arrive are kept, and named by the order in which they came.
#include <fcntl.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dns.h"
#include "lib/module.h"
#include "lib/net_address.h"
#include "lib/wire.h"

namespace {

using po::Fd;
using po::messages::Role;

constexpr int kPatienceMs = 1500;
constexpr std::uint16_t kAtOnce = 250;
enum Target : std::uint8_t { kControl, kAccounts, kQueue, kNotices, kStory };

struct Order {
  std::uint8_t what = 0;
  std::uint8_t target = 0;
  std::uint16_t a = 0;
  std::uint32_t b = 0;
  auto fields() { return std::tie(what, target, a, b); }
};
constexpr std::size_t kOrderHead = 8;

bool ready(int fd, short what, int ms) {
  pollfd p{fd, what, 0};
  return ::poll(&p, 1, ms) > 0;
}

/// Octets sent before the peer closed, or would not read for a while.
std::size_t send_all(int fd, std::string_view octets, const std::vector<int>& fds = {},
                     int patience_ms = kPatienceMs) {
  std::size_t sent = 0;
  while (sent < octets.size()) {
    std::vector<char> control(fds.empty() || sent > 0 ? 0 : CMSG_SPACE(fds.size() * sizeof(int)));
    iovec iov{const_cast<char*>(octets.data()) + sent, octets.size() - sent};
    msghdr msg{};
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    if (!control.empty()) {
      msg.msg_control = control.data();
      msg.msg_controllen = control.size();
      cmsghdr* c = CMSG_FIRSTHDR(&msg);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
    }
    // Its row has no sendmsg for the notices' socket.
    constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
    ssize_t n = control.empty() ? ::send(fd, iov.iov_base, iov.iov_len, kFlags) : ::sendmsg(fd, &msg, kFlags);
    if (n >= 0)
      sent += static_cast<std::size_t>(n);
    else if (errno != EAGAIN || !ready(fd, POLLOUT, patience_ms))
      break;
  }
  return sent;
}

class Rogue final : public po::ModuleHandler {
 public:
  explicit Rogue(po::Module& module) : module_(module) {
    if (has_no_service()) call_master();
  }

  void on_listen(const po::messages::Listen& listen, Fd socket) override {
    if (!listen.service.starts_with("rogue")) return;  // that one is for the real server
    port_ = std::move(socket);
    wait_for_master();
  }
  void on_peer(const po::messages::Peer& peer, Fd socket) override {
    Target t = peer.role == Role::kAccounts ? kAccounts : peer.role == Role::kStory ? kStory : kQueue;
    pipes_[t] = std::move(socket);
    ++pipes_seen_[t];
  }
  void on_stop(std::uint32_t) override { module_.finished(); }
  bool on_control(po::Frame& frame) override {
    po::messages::LocalConnection answer;
    if (!frame.decode(answer)) return false;
    if (master_) return true;
    frame.fd ? greet(std::move(frame.fd)) : call_master();
    return true;
  }

 private:
  [[nodiscard]] bool calls_store() const { return module_.welcome().name.starts_with("lmtp-deliver"); }
  [[nodiscard]] bool has_no_service() const {
    return calls_store() || module_.welcome().name.starts_with("smtp-deliver");
  }

  void call_master() {
    if (calls_store()) {
      auto ask = [this] { module_.control().send(1, po::messages::AskConnection{}); };
      return again_.after(module_.loop(), std::chrono::milliseconds(100), ask);
    }
    auto servers = po::parse_dns_servers(module_.welcome().resolvers);
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address{};
    socklen_t size = servers && !servers->empty() ? po::to_sockaddr(servers->front(), address) : 0;
    if (!fd || size == 0 || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
      again_.after(module_.loop(), std::chrono::milliseconds(100), [this] { call_master(); });
      return;
    }
    greet(std::move(fd));
  }

  void greet(Fd master) {
    master_ = std::move(master);
    std::string greeting = "rogue " + module_.welcome().name + "\r\n";
    send_all(master_.get(), greeting);
    orders_.on_readable(module_.loop(), master_.get(), [this] { obey(); });
  }

  void wait_for_master() {
    readable_.on_readable(module_.loop(), port_.get(), [this] {
      Fd master(::accept4(port_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!master) return;  // another one was faster
      readable_.cancel();
      greet(std::move(master));
    });
  }

  void lose_master() {
    orders_.cancel();
    master_.reset();
    has_no_service() ? call_master() : wait_for_master();
  }

  bool read_order(Order& order, std::string& octets) {
    std::array<char, 4 + kOrderHead> head{};
    if (::recv(master_.get(), head.data(), head.size(), MSG_WAITALL) != static_cast<ssize_t>(head.size()))
      return false;
    std::string_view bytes(head.data(), head.size());
    std::uint32_t length = 0;
    if (!po::wire::decode(bytes.substr(0, 4), length) || !po::wire::decode(bytes.substr(4), order))
      return false;
    octets.resize(length - kOrderHead);
    if (octets.empty()) return true;  // asked for nothing, recv() would wait
    auto n = ::recv(master_.get(), octets.data(), octets.size(), MSG_WAITALL);
    return n == static_cast<ssize_t>(octets.size());
  }

  void obey() {
    Order order;
    std::string octets;
    if (!read_order(order, octets)) return lose_master();
    if (order.what == 'x') ::_exit(0);
    if (order.what == 'l') return give_away_master(order, octets);
    std::string answer = carry_out(order, octets);
    send_all(master_.get(), po::wire::encode(static_cast<std::uint32_t>(answer.size())) + answer);
  }

  std::string carry_out(const Order& o, const std::string& octets) {
    switch (o.what) {
      case 'i':
        return identity();
      case 's':
        return number(send_all(fd_of(o), octets, copies(o.a)));
      case 'f':
        return number(flood(fd_of(o), octets, o.b));
      case 'r':
        return receive(fd_of(o), static_cast<int>(o.b));
      case 'w':
        return number(result(::write(kept_.at(o.a).get(), octets.data(), octets.size())));
      case 't':
        return number(result(::ftruncate(kept_.at(o.a).get(), o.b)));
      case 'p': {
        std::string out(o.b, '\0');
        ssize_t n = ::pread(kept_.at(o.a).get(), out.data(), out.size(), 0);
        out.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
        return out;
      }
      case 'k':
        return number(park(o.b));
      default:
        return {};
    }
  }

  std::string identity() {
    const po::messages::Welcome& w = module_.welcome();
    std::string out;
    po::wire::Writer writer(out);
    writer.put(w.incarnation);
    writer.put(w.notice_key);
    writer.put(w.ticket_key);
    writer.put(static_cast<std::uint32_t>(pipes_seen_[kAccounts]));
    writer.put(static_cast<std::uint32_t>(pipes_seen_[kQueue]));
    writer.put(w.name);
    return out;
  }

  /// Descriptors 3 and 5 belong to the module, which keeps them where the dispatcher put them.
  int fd_of(const Order& o) {
    return o.target == kControl ? 3 : o.target == kNotices ? 5 : pipes_[o.target].get();
  }

  std::vector<int> copies(std::uint16_t count) {
    if (count > 0 && !zero_) zero_ = Fd(::fcntl(0, F_DUPFD_CLOEXEC, 3));  // its row makes no pipes
    return std::vector<int>(count, zero_.get());
  }

  /// How often the octets went out whole. Nothing is read meanwhile.
  static std::uint64_t flood(int fd, const std::string& octets, std::uint32_t times) {
    for (std::uint32_t i = 0; i < times; ++i) {
      if (send_all(fd, octets) < octets.size()) return i;
    }
    return times;
  }

  /// Leaves descriptors lying in pipes of its own; how many, until the kernel had enough or it has none left.
  std::uint64_t park(std::uint32_t most) {
    std::uint64_t count = 0;
    while (count < most) {
      int ends[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) break;
      Fd here(ends[0]);
      parked_.emplace_back(ends[1]);
      std::uint64_t before = count;
      while (count < most && send_all(here.get(), "x", copies(kAtOnce), 0) == 1) count += kAtOnce;
      parked_.push_back(std::move(here));
      if (count == before) break;
    }
    return count;
  }

  /// u8 closed, u32 descriptors kept so far, octets.
  std::string receive(int fd, int ms) {
    std::string out;
    bool closed = false;
    po::wire::Writer writer(out);
    std::string octets;
    if (ready(fd, POLLIN, ms)) closed = !receive_some(fd, octets);
    writer.put(closed);
    writer.put(static_cast<std::uint32_t>(kept_.size()));
    return out + octets;
  }

  bool receive_some(int fd, std::string& octets) {
    octets.resize(1U << 20);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 64)> control{};
    iovec iov{octets.data(), octets.size()};
    msghdr msg{};
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control.data();
    msg.msg_controllen = control.size();
    ssize_t n = ::recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    octets.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    for (cmsghdr* c = n > 0 ? CMSG_FIRSTHDR(&msg) : nullptr; c != nullptr; c = CMSG_NXTHDR(&msg, c)) {
      for (std::size_t at = 0; at + CMSG_LEN(0) < c->cmsg_len; at += sizeof(int)) {
        int got = -1;
        std::memcpy(&got, CMSG_DATA(c) + at, sizeof got);
        kept_.emplace_back(got);
      }
    }
    return n > 0 || (n < 0 && errno == EAGAIN);
  }

  /// The connection itself rides along with the octets, full and lingering: who closes it last has to wait
  /// for the master to read.
  void give_away_master(const Order& o, const std::string& octets) {
    std::string filling(1U << 16, 'x');
    for (int i = 0; i < 1000; ++i)
      ::send(master_.get(), filling.data(), filling.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    linger wait{1, static_cast<int>(o.b)};
    ::setsockopt(master_.get(), SOL_SOCKET, SO_LINGER, &wait, sizeof wait);
    send_all(fd_of(o), octets, std::vector<int>(o.a, master_.get()));
    lose_master();
  }

  static std::string number(std::uint64_t n) { return po::wire::encode(n); }
  /// A count, or 2^32 and the error.
  static std::uint64_t result(long n) {
    return n >= 0 ? static_cast<std::uint64_t>(n) : (1ULL << 32) + static_cast<unsigned>(errno);
  }

  po::Module& module_;
  Fd port_, master_, zero_;
  po::Event readable_, orders_, again_;
  std::map<std::uint8_t, Fd> pipes_;
  std::map<std::uint8_t, unsigned> pipes_seen_;
  std::vector<Fd> kept_, parked_;
};

[[noreturn]] void become_real_program(char** argv) {
  std::string path = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  ::execv((path + ".real").c_str(), argv);
  ::_exit(127);
}

}  // namespace

int main(int, char** argv) {
  std::string_view name = argv[0];
  bool deliverer = name.starts_with("smtp-deliver");
  bool store = name.starts_with("lmtp-deliver");
  bool web = name.starts_with("wwwd");
  if (name.ends_with(".1") && !deliverer && !store && !web) become_real_program(argv);
  po::Module module = po::Module::start_or_die(deliverer                   ? Role::kSmtpDeliver
                                               : store                     ? Role::kLmtpDeliver
                                               : web                       ? Role::kWwwd
                                               : name.starts_with("smtpd") ? Role::kSmtpd
                                                                           : Role::kPop3d);
  module.confine_or_die();
  Rogue rogue(module);
  return module.run(rogue);
}
