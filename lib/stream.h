// One connection: a non-blocking socket with buffers, an idle limit and, from the start or later, TLS. The
// only place where smtpd, pop3d and smtp-deliver touch one. It owns the descriptor; its handler owns it.
//
// Input: on_input gets what has been read and not consumed yet, and returns how many octets it consumed; the
// rest is kept (bounded, kInputBuffer: a handler that consumes nothing of a full buffer is a bug) and given
// again with more, or after resume_reading(). Between pause_reading() and resume_reading() on_input is not
// called and nothing is read. Output: write() queues; what is queued in one turn of the loop leaves in one
// write. on_drained is called when the queue has become empty after being over kHighWater, so that a handler
// that sends a large body can go on. start_tls() and connect_tls() discard every octet that is buffered or
// unread in clear at that moment (the STARTTLS injection attack, CVE-2011-0411), sends what is queued in
// clear, then shakes hands. Before anything was read or written (implicit TLS) it discards nothing: what has
// arrived by then is the client's handshake.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "lib/fd.h"
#include "lib/loop.h"
#include "lib/tls.h"

namespace po {

class Stream;

class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  virtual std::size_t on_input(std::string_view input) = 0;
  virtual void on_drained() {}
  /// The peer will send nothing more, and everything it sent has been given. Who still owes it an answer
  /// pauses reading and is asked again after resuming; else the connection ends when what is queued has left.
  virtual void on_end_of_input() {}
  /// TLS is established.
  virtual void on_tls() {}
  /// The idle limit passed. Usually: write a last line, close_after_flush().
  virtual void on_idle() = 0;
  /// Last call, once: the peer has closed, an error, or our own close. `why` for the log. May destroy the
  /// Stream.
  virtual void on_closed(std::string_view why) = 0;
};

class Stream {
 public:
  static constexpr std::size_t kInputBuffer = 64 * 1024;
  static constexpr std::size_t kHighWater = 256 * 1024;

  /// After close_after_flush() a peer may take so long over each octet of what is queued.
  static constexpr std::chrono::milliseconds kFlushLimit{10'000};

  Stream(const Loop& loop, Fd socket, StreamHandler& handler,
         std::chrono::milliseconds flush_limit = kFlushLimit);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  void write(std::string_view bytes);
  [[nodiscard]] std::size_t queued() const;
  /// Time without a read or written octet of progress after which on_idle is called; 0: none. Restarts the
  /// clock.
  void set_idle(std::chrono::seconds limit);
  void pause_reading();
  void resume_reading();
  /// As a server. `context` is kept as long as needed.
  void start_tls(std::shared_ptr<const TlsContext> context);
  /// As a client. `name`: the host's, for SNI and, if the context has authorities, to be found in its
  /// certificate; an address literal "[192.0.2.1]" is looked for as an address.
  void connect_tls(std::shared_ptr<const TlsContext> context, const std::string& name);
  [[nodiscard]] bool tls() const;
  [[nodiscard]] std::string tls_version() const;  ///< "TLSv1.3"
  [[nodiscard]] std::string tls_cipher() const;   ///< "TLS_AES_256_GCM_SHA384"
  /// No more input; closes when all queued octets are sent (at most 10 s), then on_closed.
  void close_after_flush();
  /// Now, queued octets are lost; on_closed is called from the loop, not from here.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace po
