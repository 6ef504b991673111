#include "queue/pipes.h"

namespace queue {

using po::Fd;
using po::Frame;
using po::Kind;
using namespace po::messages;

// So much may wait for a peer to read; then nothing more is read from it until it has caught up.
static constexpr std::size_t kCrowded = 4U << 20;
static constexpr std::size_t kDrained = 1U << 20;
static constexpr auto kLookAgain = std::chrono::milliseconds(2);
static constexpr std::size_t kListPiece = 20'000;  // entries a frame: a millisecond or two of the loop's time

// ---- Pipe

void Pipe::start(Fd fd, std::function<void(std::string_view)> on_closed) {
  auto frames = [this](Frame& frame) {
    bool ok = on_frame(frame);
    if (ok && crowded()) watch_backlog();
    if (on_work_) on_work_();
    return ok;
  };
  channel_ = std::make_unique<po::Channel>(office_.parts.loop, std::move(fd), frames, std::move(on_closed));
}

bool Pipe::crowded() const {
  return channel_->backlog() > kCrowded;
}

void Pipe::watch_backlog() {
  if (!held_) channel_->pause_reading();
  held_ = true;
  look_again_.after(office_.parts.loop, kLookAgain, [this] {
    if (channel_->backlog() > kDrained) return watch_backlog();
    held_ = false;
    on_drained();
    if (held_ || crowded()) return watch_backlog();
    if (!paused_) channel_->resume_reading();
  });
}

void Pipe::pause() {
  if (!paused_ && !held_) channel_->pause_reading();
  paused_ = true;
}

void Pipe::resume() {
  if (paused_ && !held_) channel_->resume_reading();
  paused_ = false;
}

// ---- SmtpdPipe

// What was being received on this pipe will not come. What was submitted goes on to its commit: the smtpd
// asks for it by its id.
SmtpdPipe::~SmtpdPipe() {
  submissions_.drop_all(open_);
}

bool SmtpdPipe::on_frame(Frame& frame) {
  if (frame.is<Submit>()) return on_submit(frame);
  if (frame.is<AskUsage>()) return on_ask_usage(frame);
  if (frame.is<OpenBody>()) return on_open_body(frame);
  if (frame.is<AskStored>()) return on_ask_stored(frame);
  if (frame.is<StartDomain>()) return on_start_domain(frame);
  DropBody drop;
  if (!frame.decode(drop)) return false;
  submissions_.drop_body(drop.id, open_);
  return true;
}

/// A function that answers on this pipe if it is still there when the answer comes.
template <class M>
static std::function<void(const M&)> reply_on(const std::shared_ptr<Pipe>& pipe, po::Channel& channel,
                                              std::uint32_t serial) {
  return [weak = std::weak_ptr<Pipe>(pipe), &channel, serial](const M& m) {
    if (auto alive = weak.lock()) channel.send(serial, m);
  };
}

// An id is taken from its maker alone: with another's, who was taken over could be there first, and the
// message that it belongs to would be refused.
bool SmtpdPipe::on_submit(Frame& frame) {
  Submit submit;
  if (!frame.decode(submit) || submit.id.maker() != maker_) return false;
  submissions_.submit(std::move(submit), open_,
                      reply_on<Submitted>(shared_from_this(), channel(), frame.serial));
  return true;
}

bool SmtpdPipe::on_open_body(Frame& frame) {
  OpenBody ask;
  if (!frame.decode(ask) || ask.id.maker() != maker_) return false;
  Fd fd;
  BodyFile answer = submissions_.open_body(ask.id, open_, fd);
  channel().send(frame.serial, answer, std::move(fd));
  return true;
}

bool SmtpdPipe::on_ask_stored(Frame& frame) {
  AskStored ask;
  if (!frame.decode(ask)) return false;
  submissions_.ask_stored(ask.id, reply_on<Stored>(shared_from_this(), channel(), frame.serial));
  return true;
}

bool SmtpdPipe::on_ask_usage(Frame& frame) {
  AskUsage ask;
  if (!frame.decode(ask)) return false;
  auto usage = office_.parts.store.usage(ask.account);
  if (!usage && office_.lost(usage.error())) return true;
  Usage answer;
  answer.account = ask.account;
  answer.known = usage.has_value();
  if (usage) {
    answer.messages = usage->messages;
    answer.octets = usage->octets;
  }
  channel().send(frame.serial, answer);
  return true;
}

bool SmtpdPipe::on_start_domain(Frame& frame) {
  StartDomain ask;
  if (!frame.decode(ask)) return false;
  starts_.start(std::move(ask), reply_on<Started>(shared_from_this(), channel(), frame.serial));
  return true;
}

// ---- Pop3dPipe

bool Pop3dPipe::on_frame(Frame& frame) {
  if (frame.is<Retrieve>()) return on_retrieve(frame);
  if (frame.is<OpenMailbox>()) return on_open(frame);
  if (frame.is<Expunge>()) return on_expunge(frame);
  CloseMailbox close;
  if (!frame.decode(close)) return false;
  handles_.remove(close.handle);
  std::erase_if(listings_, [&close](const Listing& l) { return l.handle == close.handle; });
  return true;
}

bool Pop3dPipe::on_open(Frame& frame) {
  OpenMailbox ask;
  if (!frame.decode(ask)) return false;
  Mailbox answer;
  auto account = office_.tickets.redeem(ask.ticket, ask.session, po::ticket_now_ms());
  auto handle = account ? handles_.add(*account) : std::nullopt;
  if (!account || !handle) {
    answer.kind = account ? Kind::kTemporary : account.error().kind;
    answer.text = account ? "too many open mailboxes" : account.error().text;
    office_.parts.log.event("mailbox-refused").kv("session", ask.session).kv("why", answer.text);
    channel().send(frame.serial, answer);
    return true;
  }
  office_.parts.log.event("mailbox-opened").kv("account", *account).kv("session", ask.session);
  listings_.push_back({frame.serial, *handle, *account, {}});
  send_lists();
  return true;
}

void Pop3dPipe::send_lists() {
  while (!listings_.empty() && !crowded()) {
    if (!send_piece(listings_.front())) listings_.pop_front();
  }
}

// Each piece is a read transaction of its own: a mailbox of a million messages neither holds up the loop nor
// lies in memory. What arrives between two pieces is listed if its id comes later; what goes is listed or
// not, and a RETR of it is -ERR as always.
bool Pop3dPipe::send_piece(Listing& listing) {
  auto items = office_.parts.store.list(listing.account, listing.after, kListPiece);
  Mailbox frame;
  if (!items) {
    if (office_.lost(items.error())) return false;
    handles_.remove(listing.handle);
    frame.text = items.error().text;
    channel().send(listing.serial, frame);
    return false;
  }
  frame.kind = Kind::kDone;
  frame.handle = listing.handle;
  frame.more = items->size() == kListPiece;
  frame.entries.reserve(items->size());
  for (const store::Item& item : *items) frame.entries.push_back({item.id, item.size});
  if (!items->empty()) listing.after = items->back().id;
  channel().send(listing.serial, frame);
  return frame.more;
}

bool Pop3dPipe::on_retrieve(Frame& frame) {
  Retrieve ask;
  if (!frame.decode(ask)) return false;
  Message answer;
  answer.id = ask.id;
  auto account = handles_.account_of(ask.handle);
  if (!account) {
    answer.kind = Kind::kPermanent;
    channel().send(frame.serial, answer);
    return true;
  }
  auto content = office_.parts.store.read(*account, ask.id);
  if (!content) {
    const store::Failure& f = content.error();
    if (office_.lost(f)) return true;
    if (f.status != store::Status::kRefused) {
      office_.parts.log.event("unreadable").kv("id", ask.id.text()).kv("why", f.text);
    }
    answer.kind = f.status == store::Status::kRefused ? Kind::kPermanent : Kind::kTemporary;
    channel().send(frame.serial, answer);
    return true;
  }
  answer.kind = Kind::kDone;
  answer.prefix = std::move(content->prefix);
  answer.body = std::move(content->body);
  answer.body_size = content->body_size;
  channel().send(frame.serial, answer, std::move(content->file));
  return true;
}

bool Pop3dPipe::on_expunge(Frame& frame) {
  Expunge ask;
  if (!frame.decode(ask)) return false;
  auto account = handles_.account_of(ask.handle);
  if (!account) {
    channel().send(frame.serial, Expunged{Kind::kPermanent, "the mailbox is not open"});
    return true;
  }
  std::size_t octets = 128 + 16 * ask.ids.size();
  office_.begin_change(octets);
  auto reply = reply_on<Expunged>(shared_from_this(), channel(), frame.serial);
  auto done = [this_office = &office_, octets, account = *account,
               reply = std::move(reply)](const store::Result<std::uint64_t>& n) {
    Office& office = *this_office;
    office.end_change(octets);
    if (n) {
      office.parts.log.event("expunged").kv("account", account).kv("n", *n);
      return reply({Kind::kDone, {}});
    }
    if (office.lost(n.error())) return;
    if (n.error().no_space) office.note_space(false, n.error().text);
    reply({Kind::kTemporary, n.error().text});
  };
  office_.writer.add(store::Expunge{*account, std::move(ask.ids)}, std::move(done));
  return true;
}

// ---- DeliverPipe

DeliverPipe::DeliverPipe(Office& office, Deliveries& deliveries, std::string name, bool maildrops)
    : Pipe(office, std::move(name)), deliveries_(deliveries), maildrops_(maildrops) {
  deliveries_.add(*this);
}

DeliverPipe::~DeliverPipe() {
  deliveries_.remove(*this);
}

void DeliverPipe::send(std::uint32_t serial, const Job& job, Fd body) {
  channel().send(serial, job, std::move(body));
}

void DeliverPipe::send(std::uint32_t serial, const MaildropJob& job, Fd body) {
  channel().send(serial, job, std::move(body));
}

void DeliverPipe::send(std::uint32_t serial, const AskHosts& ask) {
  channel().send(serial, ask);
}

bool DeliverPipe::is_behind() const {
  return channel().backlog() > kDrained;
}

bool DeliverPipe::on_frame(Frame& frame) {
  if (frame.is<Hosts>()) {
    Hosts hosts;
    return frame.decode(hosts) && deliveries_.on_hosts(*this, frame.serial, hosts);
  }
  JobDone done;
  return frame.decode(done) && deliveries_.on_done(*this, frame.serial, done);
}

}  // namespace queue
