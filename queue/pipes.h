// One pipe to another process: the frames that its role may send, and what they lead to. A frame of another
// type, or one that does not decode, drops the pipe (lib/channel.h); the process at its other end then has a
// new one made.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "lib/channel.h"
#include "lib/order_desk.h"
#include "queue/deliveries.h"
#include "queue/domain_starts.h"
#include "queue/mailboxes.h"
#include "queue/office.h"
#include "queue/submissions.h"

namespace queue {

class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  virtual ~Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  /// `on_closed` is called once, from the loop, and may let the pipe go.
  void start(po::Fd fd, std::function<void(std::string_view why)> on_closed);
  /// Called after each frame.
  void on_work(std::function<void()> work) { on_work_ = std::move(work); }
  void pause();
  void resume();
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] virtual std::size_t sessions() const { return 0; }

 protected:
  Pipe(Office& office, std::string name) : office_(office), name_(std::move(name)) {}
  virtual bool on_frame(po::Frame& frame) = 0;
  /// The peer has read what was sent: more may be.
  virtual void on_drained() {}
  [[nodiscard]] po::Channel& channel() { return *channel_; }
  [[nodiscard]] const po::Channel& channel() const { return *channel_; }
  [[nodiscard]] bool crowded() const;

  Office& office_;

 private:
  void watch_backlog();
  std::string name_;
  std::function<void()> on_work_;
  std::unique_ptr<po::Channel> channel_;
  po::Event look_again_;
  bool held_ = false;    ///< not read because the peer does not read
  bool paused_ = false;  ///< not read because there is too much work
};

class SmtpdPipe final : public Pipe {
 public:
  /// `maker`: who is at the other end, as its message ids name it.
  SmtpdPipe(Office& office, Submissions& submissions, DomainStarts& starts, std::string name,
            std::uint32_t maker)
      : Pipe(office, std::move(name)), submissions_(submissions), starts_(starts), maker_(maker & 0xffffff) {}
  ~SmtpdPipe() override;

 private:
  bool on_frame(po::Frame& frame) override;
  bool on_submit(po::Frame& frame);
  bool on_open_body(po::Frame& frame);
  bool on_ask_stored(po::Frame& frame);
  bool on_ask_usage(po::Frame& frame);
  bool on_start_domain(po::Frame& frame);
  Submissions& submissions_;
  DomainStarts& starts_;
  std::uint32_t maker_;
  OpenBodies open_;
};

class Pop3dPipe final : public Pipe {
 public:
  Pop3dPipe(Office& office, std::string name) : Pipe(office, std::move(name)) {}
  [[nodiscard]] std::size_t sessions() const override { return handles_.size(); }

 private:
  /// A list that is being sent, piece by piece as the peer reads.
  struct Listing {
    std::uint32_t serial = 0;
    std::uint64_t handle = 0, account = 0;
    po::MessageId after;
  };
  bool on_frame(po::Frame& frame) override;
  void on_drained() override { send_lists(); }
  bool on_open(po::Frame& frame);
  bool on_retrieve(po::Frame& frame);
  bool on_expunge(po::Frame& frame);
  void send_lists();
  bool send_piece(Listing& listing);
  Handles handles_;
  std::deque<Listing> listings_;
};

class DeliverPipe final : public Pipe, public Deliverer {
 public:
  DeliverPipe(Office& office, Deliveries& deliveries, std::string name, bool maildrops);
  ~DeliverPipe() override;
  void send(std::uint32_t serial, const po::messages::Job& job, po::Fd body) override;
  void send(std::uint32_t serial, const po::messages::MaildropJob& job, po::Fd body) override;
  void send(std::uint32_t serial, const po::messages::AskHosts& ask) override;
  [[nodiscard]] bool is_for_maildrops() const override { return maildrops_; }
  [[nodiscard]] bool is_behind() const override;

 private:
  bool on_frame(po::Frame& frame) override;
  Deliveries& deliveries_;
  bool maildrops_;
};

/// wwwd's: orders, and nothing else.
class WwwdPipe final : public Pipe {
 public:
  WwwdPipe(Office& office, po::OrderDesk& orders, std::string name)
      : Pipe(office, std::move(name)), orders_(orders) {}
  ~WwwdPipe() override { orders_.drop(channel()); }

 private:
  bool on_frame(po::Frame& frame) override { return orders_.on_frame(channel(), frame); }
  po::OrderDesk& orders_;
};

}  // namespace queue
