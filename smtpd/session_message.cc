// The envelope (MAIL, RCPT) and the content (DATA, BDAT) of a message.
#include <algorithm>
#include <utility>

#include "lib/text.h"
#include "smtpd/session.h"
#include "smtpd/trace.h"

namespace smtpd {

using po::messages::Protocol;

// All recipients together must fit into a Submit frame beside the body.
static constexpr std::size_t kMaxRecipientOctets = 8U << 20;

// ---- MAIL

void Session::mail(std::string_view argument, Actions& actions) {
  if (helo_.empty()) return fail(replies::kNeedHelo, actions);
  if (client_.name_coming && !name_known_) {
    waiting_mail_ = argument;
    wait_ = Wait::kNameForSender;
    return;
  }
  if (submission() && !local() && account_ == 0) return fail(replies::kNeedAuth, actions);
  if (transaction_) return fail(replies::kNestedMail, actions);
  auto parsed = parse_mail(argument, !submission());
  auto refused = parsed ? begin_transaction(std::move(*parsed)) : std::optional(parsed.error());
  if (!refused) return say(replies::kSenderOk, actions);
  transaction_.reset();
  Report r = report(Report::Event::kSenderRefused, *refused);
  r.sender = argument.substr(0, po::kMaxPath + 8);
  actions.emplace_back(std::move(r));
  fail(*refused, actions);
}

std::optional<Refusal> Session::begin_transaction(MailCommand mail) {
  settings_ = world_.settings();
  if (settings_->max_messages != 0 && tried_ >= settings_->max_messages) return replies::kTooManyMessages;
  if (settings_->max_message_size != 0 && mail.size > settings_->max_message_size) return replies::kTooLarge;
  if (!world_.queue_ready()) return replies::kUnavailable;
  transaction_.emplace(Transaction{});  // clang 14 takes the nested type for not default constructible
  transaction_->mail = std::move(mail);
  if (auto refused = claim_sender(*transaction_)) return refused;
  ++tried_;
  return std::nullopt;
}

/// An address without a domain, where one may be left out: the completion domain is put behind it.
void Session::complete(po::Mailbox& mailbox) const {
  if (!mailbox.domain.empty()) return;
  bool completes = submission() && !settings_->completion_domain.empty();
  mailbox.domain = completes ? settings_->completion_domain : client_.host;
}

/// Whether the address leads to the account that authenticated; the directory knows all spellings.
po::Result<bool> Session::is_own(const po::Mailbox& address) {
  auto resolved = world_.resolve(address.canonical());
  if (!resolved) return tl::unexpected<po::Error>(resolved.error());
  return resolved->account && resolved->account->id == account_;
}

/// Who sends, and whether they may send as this. The null sender is for notifications that user agents write.
std::optional<Refusal> Session::claim_sender(Transaction& t) {
  if (!t.mail.null) {
    complete(t.mail.sender);
    t.sender = t.mail.sender.canonical();
  }
  t.author.any_from = true;
  if (account_ == 0) {
    if (local()) t.author.address = t.sender;
    return std::nullopt;
  }
  auto found = world_.account(account_);
  if (!found) return replies::kUnavailable;
  if (!*found || (*found)->locked || (*found)->addresses.empty()) return replies::kAccountGone;
  const directory::Account& account = **found;
  if (!t.mail.null && !account.any_sender) {
    auto own = is_own(t.mail.sender);
    if (!own) return replies::kUnavailable;
    if (!*own) return replies::kNotYourAddress;
  }
  auto primary = po::parse_mailbox(account.addresses.front(), {.utf8 = true, .need_domain = false});
  if (!primary) return replies::kUnavailable;
  complete(*primary);
  t.author.any_from = account.any_sender;
  t.author.name = account.name;
  t.author.address = primary->canonical();
  t.author.style = static_cast<po::FromStyle>(account.from_rewrite);
  // The return address is rewritten with the From field: an answer and an error report go to one place.
  if (t.author.style != po::FromStyle::kNone && !t.mail.null) t.sender = t.author.address;
  return std::nullopt;
}

// ---- RCPT

void Session::rcpt(std::string_view argument, Actions& actions) {
  if (!transaction_) return fail(replies::kNeedMail, actions);
  const Transaction& t = *transaction_;
  if (t.chunked) return fail(replies::kInChunks, actions);
  if (t.recipients.size() >= std::max(settings_->max_recipients, 1U) ||
      t.recipient_octets > kMaxRecipientOctets) {
    return fail(replies::kTooManyRecipients, actions);
  }
  auto parsed = parse_rcpt(argument, t.mail.smtputf8);
  if (!parsed) {
    recipient_address_ = argument.substr(0, po::kMaxPath + 8);
    return refuse_recipient(parsed.error(), actions);
  }
  recipient_ = std::move(*parsed);
  bool bare = recipient_.recipient.domain.empty();
  if (bare && !submission() && !po::equal_ignoring_case(recipient_.recipient.local, "postmaster")) {
    recipient_address_ = recipient_.recipient.canonical();
    return refuse_recipient(replies::kNeedDomain, actions);
  }
  complete(recipient_.recipient);
  recipient_address_ = recipient_.recipient.canonical();
  judge_recipient(actions);
}

void Session::judge_recipient(Actions& actions) {
  auto resolved = world_.resolve(recipient_address_);
  if (!resolved) return refuse_recipient(replies::kUnavailable, actions);
  const RelayNetworks& networks = world_.relay_networks();
  bool trusted = account_ != 0 || local();
  if (resolved->verdict == directory::Verdict::kRemote && !trusted && !name_known_ &&
      networks.needs_name(client_.address)) {
    wait_ = Wait::kNameForRecipient;
    actions.emplace_back(AskName{});
    return;
  }
  bool may_relay = trusted || networks.allows(client_.address, client_name_);
  if (auto why = smtpd::refuse_recipient(*resolved, recipient_.recipient, may_relay))
    return refuse_recipient(*why, actions);
  const directory::Account* account = mailbox_of(*resolved);
  recipient_quota_ = account != nullptr ? quota_of(*account, *settings_) : 0;
  if (recipient_quota_ == 0) return take_recipient(actions);
  wait_ = Wait::kUsage;
  actions.emplace_back(AskUsage{account->id});
}

void Session::on_usage(bool known, std::uint64_t octets, Actions& actions) {
  if (wait_ != Wait::kUsage) return;
  wait_ = Wait::kNothing;
  // If queue cannot say, the mail is taken: a full mailbox is an inconvenience, refused mail may be a loss.
  if (known && over_quota(recipient_quota_, octets, transaction_->mail.size)) {
    refuse_recipient(settings_->over_quota_permanent ? replies::kMailboxFullForGood : replies::kMailboxFull,
                     actions);
  } else {
    take_recipient(actions);
  }
  settle(actions);
}

void Session::take_recipient(Actions& actions) {
  Transaction& t = *transaction_;
  t.recipient_octets += recipient_address_.size() + recipient_.orcpt.size() + 16;
  t.recipients.push_back({std::move(recipient_address_), recipient_.notify, std::move(recipient_.orcpt)});
  say(replies::kRecipientOk, actions);
}

void Session::refuse_recipient(const Refusal& why, Actions& actions) {
  Report r = report(Report::Event::kRecipientRefused, why);
  r.recipient = recipient_address_;
  actions.emplace_back(std::move(r));
  append_reply(reply_text(actions), why, po::is_ascii(recipient_address_) ? recipient_address_ : "");
  if (!why.permanent()) return;
  // Dead addresses on a list are one thing, trying whether we relay is another.
  if (why == Refusal(replies::kUnknownUser)) {
    conduct_.unknown_recipient();
  } else if (why == Refusal(replies::kRelayDenied) || why.code != 550) {
    conduct_.error();
  }
}

// ---- DATA and BDAT

void Session::begin_content() {
  const Transaction& t = *transaction_;
  id_ = world_.next_id();
  TraceFacts facts;
  facts.helo = helo_;
  facts.name = client_name_;
  facts.client = client_.address;
  facts.local_uid = local() ? client_.uid : 0xffffffff;
  facts.local_user = client_.user;
  facts.host = client_.host;
  facts.id = id_.text();
  facts.esmtp = esmtp_;
  facts.authenticated = account_ != 0;
  facts.smtputf8 = t.mail.smtputf8;
  facts.tls_version = tls_version_;
  facts.tls_cipher = tls_cipher_;
  if (t.recipients.size() == 1) facts.only_recipient = t.recipients.front().address;
  facts.now = world_.now();
  content_.begin(received_field(facts), settings_->max_message_size, submits());
  content_ended_ = chunk_ended_ = false;
}

void Session::data(std::string_view, Actions& actions) {
  if (!transaction_) return fail(replies::kNeedMail, actions);
  if (transaction_->chunked) return fail(replies::kInChunks, actions);
  if (transaction_->recipients.empty()) return fail(replies::kNoRecipients, actions);
  if (!world_.queue_ready()) return fail(replies::kUnavailable, actions);
  begin_content();
  decoder_ = {};
  state_ = State::kData;
  say(replies::kStartData, actions);
}

std::size_t Session::data_input(std::string_view in, Actions& actions) {
  std::size_t taken = decoder_.feed(in, content_.sink());
  octets_ += taken;
  content_ended_ = decoder_.ended();
  took(decoder_.faults(), actions);
  if (content_ended_ && !waiting()) end_of_content(actions);
  return taken;
}

/// Why a chunk is not wanted. Its octets must be skipped all the same, or they would be read as commands.
std::optional<Refusal> Session::judge_chunk(const BdatCommand& chunk) {
  chunk_resets_ = false;
  if (must_start_tls()) return replies::kNeedTls;
  if (!transaction_) return replies::kNeedMail;
  if (transaction_->recipients.empty()) return replies::kNoRecipients;
  if (!transaction_->chunked) {
    if (!world_.queue_ready()) return replies::kUnavailable;
    begin_content();
    line_ends_ = {};
    transaction_->chunked = true;
  }
  std::uint64_t limit = settings_->max_message_size;
  if (limit != 0 && (chunk.octets > limit || content_.received() > limit - chunk.octets)) {
    chunk_resets_ = true;
    return replies::kTooLarge;
  }
  return std::nullopt;
}

void Session::bdat(std::string_view argument, Actions& actions) {
  auto chunk = parse_bdat(argument);
  if (!chunk) {
    fail(chunk.error(), actions);
    return end(replies::kOutOfStep, actions);
  }
  chunk_left_ = chunk_size_ = chunk->octets;
  last_chunk_ = chunk->last;
  chunk_refusal_ = judge_chunk(*chunk);
  state_ = chunk_refusal_ ? State::kDiscardChunk : State::kChunk;
  if (chunk_left_ != 0) return;
  if (chunk_refusal_) return end_of_refused_chunk(actions);
  end_of_chunk(actions);
}

std::size_t Session::discard_input(std::string_view in, Actions& actions) {
  auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), chunk_left_));
  octets_ += taken;
  chunk_left_ -= taken;
  if (chunk_left_ == 0) {
    end_of_refused_chunk(actions);
    settle(actions);
  }
  return taken;
}

void Session::end_of_refused_chunk(Actions& actions) {
  state_ = State::kCommand;
  ++commands_;
  Refusal why = *std::exchange(chunk_refusal_, std::nullopt);
  if (chunk_resets_) return refuse_content(why, actions);
  fail(why, actions);
}

std::size_t Session::chunk_input(std::string_view in, Actions& actions) {
  auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), chunk_left_));
  std::string_view piece = in.substr(0, taken);
  octets_ += taken;
  chunk_left_ -= taken;
  line_ends_.feed(piece);
  content_.sink().append(piece);
  chunk_ended_ = chunk_left_ == 0;
  took(line_ends_.faults(), actions);
  if (chunk_ended_ && !waiting()) {
    end_of_chunk(actions);
    settle(actions);
  }
  return taken;
}

void Session::end_of_chunk(Actions& actions) {
  chunk_ended_ = false;
  if (!last_chunk_) {
    state_ = State::kCommand;
    ++commands_;
    if (auto why = content_.refusal()) return refuse_content(*why, actions);
    return append_reply(reply_text(actions), 250, "2.0.0", std::to_string(chunk_size_) + " octets taken");
  }
  line_ends_.finish();
  // DATA cannot send a last line without its CRLF, POP3 cannot either: BDAT's is completed.
  if (!line_ends_.at_line_start() && !line_ends_.faults().any()) content_.sink().append("\r\n");
  content_ended_ = true;
  took(line_ends_.faults(), actions);
  if (!waiting()) end_of_content(actions);
}

void Session::took(const po::ContentFaults& faults, Actions& actions) {
  content_.took(faults);
  if (content_.header_waits()) fix_header();
  if (content_.must_spill()) spill(actions);
}

/// Everybody on this host may name any sender, as scripts of web servers must. Who is not trusted with it,
/// and named one that is not theirs, is told to the reader.
std::string Session::sender_warning() const {
  const Transaction& t = *transaction_;
  if (!local() || client_.uid == 0 || t.mail.null) return {};
  const auto& trusted = settings_->trusted_users;
  std::string user = client_.user.empty() ? "uid" + std::to_string(client_.uid) : client_.user;
  if (std::find(trusted.begin(), trusted.end(), user) != trusted.end()) return {};
  po::Mailbox own{user, ""};
  complete(own);
  bool own_domain = t.mail.sender.domain == own.domain || t.mail.sender.domain == client_.host;
  if (own_domain && po::equal_ignoring_case(t.mail.sender.local, user)) return {};
  return client_.host + ": " + user + " set sender to " + t.sender;
}

void Session::fix_header() {
  const Transaction& t = *transaction_;
  po::Mailbox nobody;
  complete(nobody);
  HeaderFacts facts{t.author, nobody.domain, client_.host, id_.text(), world_.now(), sender_warning()};
  auto header = complete_header(content_.header(), content_.scanner(), facts,
                                [this](const po::Mailbox& address) { return is_own(address); });
  if (header) {
    content_.replace_header(*header);
  } else {
    content_.refuse_header(std::move(header.error()));
  }
}

// ---- the body file of a large message

void Session::spill(Actions& actions) {
  if (body_file_ == BodyFile::kOpen) {
    actions.emplace_back(WriteBody{content_.spill()});
  } else if (body_file_ == BodyFile::kNone) {
    body_file_ = BodyFile::kAsked;
    wait_ = Wait::kBodyFile;
    actions.emplace_back(OpenBody{id_});
  }
}

void Session::on_body_file(po::Kind kind, bool no_space, Actions& actions) {
  if (wait_ != Wait::kBodyFile) return;
  wait_ = Wait::kNothing;
  if (kind == po::Kind::kDone) {
    body_file_ = BodyFile::kOpen;
    spill(actions);
  } else {
    body_file_ = BodyFile::kNone;
    content_.refuse_storage(no_space ? replies::kNoSpace : replies::kUnavailable);
  }
  if (chunk_ended_) {
    end_of_chunk(actions);
  } else if (content_ended_) {
    end_of_content(actions);
  }
  settle(actions);
}

void Session::drop_body(Actions& actions) {
  if (body_file_ != BodyFile::kNone) actions.emplace_back(DropBody{id_});
  body_file_ = BodyFile::kNone;
}

// ---- the end of the content

void Session::end_of_content(Actions& actions) {
  content_.finish();
  if (content_.header_waits()) fix_header();
  if (content_.must_spill()) spill(actions);
  if (!waiting()) conclude(actions);
}

void Session::conclude(Actions& actions) {
  content_ended_ = false;
  state_ = State::kCommand;
  ++commands_;
  if (auto why = content_.refusal()) {
    refuse_content(*why, actions);
    settle(actions);
  } else {
    submit(actions);
  }
}

void Session::refuse_content(const Refusal& why, Actions& actions) {
  recipients_ = transaction_->recipients.size();
  actions.emplace_back(report(Report::Event::kMessageRefused, why));
  fail(why, actions);
  reset_transaction(actions);
}

void Session::submit(Actions& actions) {
  Transaction& t = *transaction_;
  SubmitMessage out;
  po::messages::Submit& m = out.message;
  m.in_file = body_file_ == BodyFile::kOpen;
  std::string rest = content_.spill();
  m.id = id_;
  m.sender = t.sender;
  m.ret = t.mail.ret;
  m.envid = std::move(t.mail.envid);
  m.smtputf8 = t.mail.smtputf8;
  m.body_8bit = t.mail.body_8bit;
  m.session = client_.session;
  m.client = client_.address;
  m.account = account_;
  m.local_uid = local() ? client_.uid : 0xffffffff;
  recipients_ = t.recipients.size();
  m.recipients = std::move(t.recipients);
  m.size = content_.size();
  m.checksum = content_.checksum();
  if (!m.in_file) {
    m.body = std::move(rest);
  } else if (!rest.empty()) {
    actions.emplace_back(WriteBody{std::move(rest)});
  }
  body_file_ = BodyFile::kNone;  // queue's from here on
  wait_ = Wait::kSubmit;
  actions.emplace_back(std::move(out));
}

/// What queue says instead of "it is stored", as a reply; its sentence where it has one.
static Refusal refusal_of(const po::messages::Submitted& answer) {
  Refusal why = answer.kind == po::Kind::kPermanent ? Refusal(554, "5.3.0", answer.text)
                : answer.no_space                   ? Refusal(replies::kNoSpace)
                : answer.too_many                   ? Refusal(452, "4.7.1", answer.text)
                                                    : Refusal(451, "4.3.0", answer.text);
  if (why.text.empty()) why.text = (answer.too_many ? replies::kSenderOverLimit : replies::kUnavailable).text;
  return why;
}

void Session::on_submitted(const po::messages::Submitted& answer, Actions& actions) {
  if (wait_ != Wait::kSubmit) return;
  wait_ = Wait::kNothing;
  if (answer.kind == po::Kind::kDone) {
    ++messages_;
    conduct_.message_taken();
    Refusal taken(250, "2.0.0", "Ok: queued as " + id_.text());
    actions.emplace_back(report(Report::Event::kAccepted, taken));
    append_reply(reply_text(actions), taken);
  } else {
    Refusal why = refusal_of(answer);
    actions.emplace_back(report(Report::Event::kMessageRefused, why));
    fail(why, actions);
  }
  transaction_.reset();
  settle(actions);
}

Report Session::report(Report::Event event, const Refusal& why) const {
  Report r;
  r.event = event;
  append_reply(r.reply, why);
  r.reply.resize(r.reply.size() - 2);
  r.login = account_address_;
  if (transaction_) r.sender = transaction_->sender;
  if (event == Report::Event::kAccepted || event == Report::Event::kMessageRefused) {
    r.id = id_.text();
    r.recipients = recipients_;
    r.size = content_.size() != 0 ? content_.size() : content_.received();
    const po::HeaderScanner& scanner = content_.scanner();
    r.message_id = scanner.message_id();
    bool added = submits() && !scanner.has(po::HeaderScanner::Field::kMessageId);
    if (added && event == Report::Event::kAccepted) r.message_id = po::make_message_id(r.id, client_.host);
  }
  return r;
}

}  // namespace smtpd
