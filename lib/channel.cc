#include "lib/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace po {

static constexpr std::size_t kMaxBacklog = 128U << 20;  // a peer that lets this much wait is taken for dead
static constexpr std::size_t kReadBuffer = 128U << 10;
static constexpr std::size_t kMaxWaitingFds = 64;
static constexpr std::size_t kMaxFdsAtOnce = 253;          // the kernel's own bound (SCM_MAX_FD)
static constexpr std::size_t kDescriptorCost = 64U << 10;  // in the backlog: a process has few of them
static constexpr int kMaxIov = 64;
static constexpr int kReadsPerTurn = 8;
static constexpr auto kTooManyOnTheirWay = std::chrono::milliseconds(50);

struct FrameHead {
  std::uint32_t length = 0;
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t serial = 0;
  auto fields() { return std::tie(length, type, flags, serial); }
};

static bool decode_head(std::string_view bytes, FrameHead& head) {
  return wire::decode(bytes.substr(0, kFrameHeader), head) && head.length <= messages::kMaxFrame &&
         head.flags <= 1;
}

/// Takes the descriptors out of a received message; false if some were cut off, or wait for frames that never
/// come.
static bool take_fds(msghdr& msg, std::deque<Fd>& fds) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&msg); c != nullptr; c = CMSG_NXTHDR(&msg, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    std::size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < n; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return (msg.msg_flags & MSG_CTRUNC) == 0 && fds.size() <= kMaxWaitingFds;
}

static ssize_t receive(int fd, char* buffer, std::size_t size, int flags, std::deque<Fd>& fds, bool& fds_ok) {
  alignas(
      cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFdsAtOnce)];  // what does not fit, the kernel closes
  iovec iov{buffer, size};
  msghdr msg{};
  msg.msg_iov = &iov;
  msg.msg_iovlen = 1;
  msg.msg_control = control;
  msg.msg_controllen = sizeof control;
  ssize_t n = ::recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | flags);
  if (n >= 0) fds_ok = take_fds(msg, fds);
  return n;
}

static ssize_t send_some(int fd, iovec* iov, std::size_t count, int passed) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr msg{};
  msg.msg_iov = iov;
  msg.msg_iovlen = count;
  if (passed >= 0) {
    msg.msg_control = control;
    msg.msg_controllen = sizeof control;
    cmsghdr* c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(c), &passed, sizeof passed);
  }
  return ::sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

Channel::Channel(const Loop& loop, Fd fd, OnFrame on_frame, OnClosed on_closed)
    : loop_(loop), fd_(std::move(fd)), on_frame_(std::move(on_frame)), on_closed_(std::move(on_closed)) {
  readable_.on_readable(loop_, fd_.get(), [this] { on_readable(); });
}

Channel::~Channel() {
  *alive_ = false;
}

void Channel::queue(std::string bytes, Fd fd) {
  if (failed_) return;
  backlog_ += bytes.size() + (fd ? kDescriptorCost : 0);
  out_.push_back({std::move(bytes), std::move(fd)});
  if (backlog_ > kMaxBacklog) return fail("the peer does not read");
  if (flush_scheduled_ || waiting_writable_) return;
  flush_scheduled_ = true;
  flush_soon_.soon(loop_, [this] { flush(); });
}

void Channel::refuse(std::uint16_t type) {
  fail("a frame of type " + std::to_string(type) + " that was to be sent is over its bound");
}

// A descriptor must leave with the first octet of its frame, so a frame that carries one begins a call.
void Channel::flush() {
  flush_scheduled_ = false;
  while (!out_.empty() && !failed_) {
    iovec iov[kMaxIov];
    std::size_t count = 0;
    for (const Out& o : out_) {
      if (count == kMaxIov || (count > 0 && o.fd)) break;
      std::size_t skip = count == 0 ? out_offset_ : 0;
      iov[count++] = {const_cast<char*>(o.bytes.data()) + skip, o.bytes.size() - skip};
    }
    ssize_t n = send_some(fd_.get(), iov, count, out_offset_ == 0 ? out_.front().fd.get() : -1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!waiting_writable_) writable_.on_writable(loop_, fd_.get(), [this] { flush(); });
      waiting_writable_ = true;
      return;
    }
    if (n < 0 &&
        errno == ETOOMANYREFS) {  // our user has too many descriptors on their way, whoever sent them
      if (waiting_writable_) writable_.cancel();
      waiting_writable_ = false;
      flush_scheduled_ = true;
      return flush_soon_.after(loop_, kTooManyOnTheirWay, [this] { flush(); });
    }
    if (n < 0) return fail(std::string("write: ") + std::strerror(errno));
    auto sent = static_cast<std::size_t>(n);
    backlog_ -= sent;
    while (sent > 0) {
      std::size_t left = out_.front().bytes.size() - out_offset_;
      if (out_.front().fd) backlog_ -= kDescriptorCost;
      out_.front().fd.reset();
      if (sent < left) {
        out_offset_ += sent;
        break;
      }
      sent -= left;
      out_offset_ = 0;
      out_.pop_front();
    }
  }
  if (waiting_writable_) writable_.cancel();
  waiting_writable_ = false;
}

void Channel::on_readable() {
  std::shared_ptr<bool> alive = alive_;
  for (int i = 0; i < kReadsPerTurn && !paused_ && !failed_; ++i) {
    bool more = read_some();
    if (failed_) return;
    deliver_frames();
    if (!*alive || !more) return;
  }
}

/// Reads once; true if the buffer was filled, so that there may be more.
bool Channel::read_some() {
  if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
  std::size_t want = kReadBuffer;
  FrameHead head;
  std::string_view have(in_.get() + in_begin_, in_end_ - in_begin_);
  if (have.size() >= kFrameHeader && decode_head(have, head))
    want = std::max(want, kFrameHeader + head.length);
  if (in_size_ - in_begin_ < want || in_end_ == in_size_) {  // make room: move to the front, grow if needed
    std::size_t size = std::max(in_size_, want);
    auto bigger = std::unique_ptr<char[]>(new char[size]);
    if (!have.empty()) std::memcpy(bigger.get(), have.data(), have.size());
    in_ = std::move(bigger);
    in_size_ = size;
    in_end_ = have.size();
    in_begin_ = 0;
  }
  bool fds_ok = true;
  std::size_t room = in_size_ - in_end_;
  ssize_t n = receive(fd_.get(), in_.get() + in_end_, room, MSG_DONTWAIT, in_fds_, fds_ok);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n < 0) return fail(std::string("read: ") + std::strerror(errno)), false;
  if (n == 0) return fail("end of file"), false;
  if (!fds_ok) return fail("garbage: too many descriptors"), false;
  in_end_ += static_cast<std::size_t>(n);
  return static_cast<std::size_t>(n) == room;
}

void Channel::deliver_frames() {
  std::shared_ptr<bool> alive = alive_;
  while (!failed_ && !paused_) {
    std::string_view have(in_.get() + in_begin_, in_end_ - in_begin_);
    if (have.size() < kFrameHeader) break;
    FrameHead head;
    if (!decode_head(have, head)) return fail("garbage: a frame's head is wrong");
    if (have.size() < kFrameHeader + head.length) break;
    Frame frame{head.type, head.serial, have.substr(kFrameHeader, head.length), {}};
    if (head.flags == 1) {
      if (in_fds_.empty()) return fail("garbage: a frame without its descriptor");
      frame.fd = std::move(in_fds_.front());
      in_fds_.pop_front();
    }
    in_begin_ += kFrameHeader + head.length;
    bool ok = on_frame_(frame);
    if (!*alive) return;
    if (!ok) return fail("garbage: frame of type " + std::to_string(head.type));
  }
  if (in_begin_ == in_end_ && in_size_ > kReadBuffer) {  // one large frame must not hold its memory for ever
    in_.reset();
    in_size_ = in_begin_ = in_end_ = 0;
  }
}

void Channel::pause_reading() {
  if (paused_ || failed_) return;
  paused_ = true;
  readable_.cancel();
}

void Channel::resume_reading() {
  if (!paused_ || failed_) return;
  paused_ = false;
  readable_.on_readable(loop_, fd_.get(), [this] { on_readable(); });
  deliver_soon_.soon(loop_, [this] { deliver_frames(); });
}

// on_closed may destroy the channel, so it is called from the loop, never from inside send() or on_frame.
void Channel::fail(std::string why) {
  if (failed_) return;
  failed_ = true;
  fail_why_ = std::move(why);
  readable_.cancel();
  writable_.cancel();
  fail_soon_.soon(loop_, [this] {
    fd_.reset();
    auto on_closed = on_closed_;
    on_closed(fail_why_);
  });
}

// ---- BlockingChannel

static Result<void> wait_for(int fd, short what, int seconds) {
  pollfd p{fd, what, 0};
  int n = 0;
  do {
    n = ::poll(&p, 1, seconds * 1000);
  } while (n < 0 && errno == EINTR);
  if (n == 0) return temporary("no answer within " + std::to_string(seconds) + " seconds");
  if (n < 0) return temporary("poll", errno);
  return {};
}

Result<BlockingChannel::Received> BlockingChannel::receive(int seconds) {
  std::deque<Fd> fds;
  std::string bytes;
  std::size_t want = kFrameHeader;
  FrameHead head;
  while (bytes.size() < want) {
    if (auto ready = wait_for(fd_.get(), POLLIN, seconds); !ready) return tl::unexpected(ready.error());
    std::size_t old = bytes.size();
    bytes.resize(want);
    bool fds_ok = true;
    ssize_t n = po::receive(fd_.get(), bytes.data() + old, want - old, 0, fds, fds_ok);
    bytes.resize(old + (n > 0 ? static_cast<std::size_t>(n) : 0));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return temporary("read", errno);
    if (n == 0) return temporary("the other end has closed the connection");
    if (!fds_ok) return permanent("garbage: too many descriptors");
    if (bytes.size() == kFrameHeader && want == kFrameHeader) {
      if (!decode_head(bytes, head)) return permanent("garbage: a frame's head is wrong");
      want += head.length;
    }
  }
  Received r{head.type, head.serial, bytes.substr(kFrameHeader), {}};
  if (head.flags == 1) {
    if (fds.empty()) return permanent("garbage: a frame without its descriptor");
    r.fd = std::move(fds.front());
  }
  return r;
}

Result<void> BlockingChannel::send_bytes(std::string_view bytes, int passed) {
  while (!bytes.empty()) {
    iovec iov{const_cast<char*>(bytes.data()), bytes.size()};
    ssize_t n = send_some(fd_.get(), &iov, 1, passed);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      if (auto ready = wait_for(fd_.get(), POLLOUT, 30); !ready) return ready;
      continue;
    }
    if (n < 0) return temporary("write", errno);
    passed = -1;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace po
