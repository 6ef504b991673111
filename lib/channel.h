// A pipe to another process of the suite: frames of lib/messages.h over a Unix stream socket, descriptors
// passed beside them. Writing never blocks: frames queue in memory up to a bound, over which the peer is
// taken for dead. Whatever arrives that is not a frame closes the channel; the process goes on. A frame over
// its kind's bound is never sent, because the peer would close the pipe for all who use it: whoever puts
// octets of strangers into a message asks fits() first. All frames sent in one turn of the event loop leave
// in one system call.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/error.h"
#include "lib/fd.h"
#include "lib/loop.h"
#include "lib/messages.h"

namespace po {

/// One frame as it came. `payload` is valid during the call only.
struct Frame {
  std::uint16_t type = 0;
  std::uint32_t serial = 0;
  std::string_view payload;
  Fd fd;  ///< if one rode along

  template <class M>
  [[nodiscard]] bool is() const {
    return type == M::kType;
  }
  /// False if the payload is not exactly an M within its bound: drop the channel.
  template <class M>
  [[nodiscard]] bool decode(M& m) const {
    return type == M::kType && payload.size() <= M::kMax && wire::decode(payload, m);
  }
};

inline constexpr std::size_t kFrameHeader = 12;
/// Header and payload of one message, as octets (for blocking users and tests).
template <class M>
[[nodiscard]] std::string encode_frame(std::uint32_t serial, const M& m, bool with_fd = false) {
  std::string out(kFrameHeader, '\0');
  wire::Writer(out).put(m);
  std::string head;
  wire::Writer w(head);
  w.put(static_cast<std::uint32_t>(out.size() - kFrameHeader));
  w.put(M::kType);
  w.put(static_cast<std::uint16_t>(with_fd ? 1 : 0));
  w.put(serial);
  out.replace(0, kFrameHeader, head);
  return out;
}

/// False for a message over its kind's bound, which no receiver takes.
template <class M>
[[nodiscard]] bool fits(const M& m) {
  return wire::encode(m).size() <= M::kMax;
}

class Channel {
 public:
  /// Returns false to have the channel closed (garbage). Must not destroy the channel; on_closed may.
  using OnFrame = std::function<bool(Frame& frame)>;
  /// Called once, last: `why` is a sentence for the log ("end of file", "garbage: ..."). May destroy the
  /// channel.
  using OnClosed = std::function<void(std::string_view why)>;

  Channel(const Loop& loop, Fd fd, OnFrame on_frame, OnClosed on_closed);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  /// What does not fit closes the channel instead, with the reason on this side, which is at fault.
  template <class M>
  void send(std::uint32_t serial, const M& m, Fd fd = {}) {
    std::string bytes = encode_frame(serial, m, static_cast<bool>(fd));
    if (bytes.size() - kFrameHeader > M::kMax) return refuse(M::kType);
    queue(std::move(bytes), std::move(fd));
  }
  [[nodiscard]] std::uint32_t next_serial() { return ++serial_; }
  [[nodiscard]] bool open() const { return static_cast<bool>(fd_); }
  /// Octets not yet written.
  [[nodiscard]] std::size_t backlog() const { return backlog_; }
  void pause_reading();
  void resume_reading();

 private:
  struct Out {
    std::string bytes;
    Fd fd;
  };
  void queue(std::string bytes, Fd fd);
  void refuse(std::uint16_t type);
  void on_readable();
  bool read_some();
  void deliver_frames();
  void flush();
  void fail(std::string why);

  const Loop& loop_;
  Fd fd_;
  OnFrame on_frame_;
  OnClosed on_closed_;
  Event readable_, writable_, flush_soon_, fail_soon_, deliver_soon_;
  std::deque<Out> out_;
  std::size_t out_offset_ = 0, backlog_ = 0;
  bool flush_scheduled_ = false, waiting_writable_ = false, paused_ = false, failed_ = false;
  std::unique_ptr<char[]> in_;
  std::size_t in_size_ = 0, in_begin_ = 0, in_end_ = 0;
  std::deque<Fd> in_fds_;
  std::uint32_t serial_ = 0;
  std::string fail_why_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// For before the loop runs and for short-lived clients: blocking, one frame a call. Bounded by `seconds`.
class BlockingChannel {
 public:
  explicit BlockingChannel(Fd fd) : fd_(std::move(fd)) {}
  struct Received {
    std::uint16_t type = 0;
    std::uint32_t serial = 0;
    std::string payload;
    Fd fd;
    template <class M>
    [[nodiscard]] bool decode(M& m) const {
      return type == M::kType && payload.size() <= M::kMax && wire::decode(payload, m);
    }
  };
  [[nodiscard]] Result<Received> receive(int seconds);
  template <class M>
  [[nodiscard]] Result<void> send(std::uint32_t serial, const M& m) {
    return send_bytes(encode_frame(serial, m), -1);
  }
  /// The descriptor stays the caller's.
  template <class M>
  [[nodiscard]] Result<void> send_with(int fd, std::uint32_t serial, const M& m) {
    return send_bytes(encode_frame(serial, m, true), fd);
  }
  [[nodiscard]] Fd release() { return std::move(fd_); }

 private:
  Result<void> send_bytes(std::string_view bytes, int passed);
  Fd fd_;
};

}  // namespace po
