#include "lib/directory/resolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>
#include <tuple>
#include <utility>

#include "lib/address.h"
#include "lib/directory/record.h"
#include "lib/text.h"

namespace directory {
namespace {

constexpr std::string_view kPostmasterName = "postmaster";
constexpr std::string_view kAliasForm = "an alias is written <INCOMING ADDRESS> <OUTGOING ADDRESS>";

/// The domain begins after the last '@': neither a domain nor a literal can hold one.
std::pair<std::string_view, std::string_view> split(std::string_view address) {
  auto at = address.rfind('@');
  if (at == std::string_view::npos) return {address, {}};
  return {address.substr(0, at), address.substr(at + 1)};
}

/// "jane+lists@podunk.edu" is "jane@podunk.edu"; empty if there is no plus part, or nothing before it.
std::string without_plus(const std::string& key) {
  if (key.find('+') == std::string::npos) return {};
  auto mailbox = po::parse_mailbox(key, {.utf8 = true, .need_domain = false});
  if (!mailbox) return {};
  auto plus = mailbox->local.find('+');
  if (plus == std::string::npos || plus == 0) return {};
  mailbox->local.resize(plus);
  return mailbox->canonical();
}

/// "a@x.org, b@x.org, a@x.org", the middle of a long one left out.
template <class Iterator>
std::string circle(Iterator from, Iterator to) {
  constexpr std::ptrdiff_t kShown = 4;
  std::string out = "the channel aliases lead in a circle: ";
  for (auto at = from; at != to; ++at) {
    if (at - from < kShown) out += fmt::format("{}, ", *at);
    if (at - from == kShown) out += "..., ";
  }
  return out + *from;
}

std::string shown(const Account& a) {
  return fmt::format("account number {} ({})", a.id, a.name);
}

std::string too_deep() {
  return fmt::format("more than {} aliases and accounts stand behind one another", kMostSteps);
}

/// All ways through the directory from one address, the shortest first.
class Walk {
 public:
  Walk(const Questions& ask, std::string_view address, bool steps)
      : ask_(ask), asked_(address), steps_(steps) {}

  po::Result<Resolution> run() {
    waiting_.push_back({std::string(asked_)});
    for (std::size_t followed = 0; !waiting_.empty(); ++followed) {
      if (followed == kMostTargets) {
        out_.targets.clear();
        fail(Verdict::kLoop, fmt::format("{} leads to more than {} addresses", asked_, kMostTargets));
        break;
      }
      Way way = std::move(waiting_.front());
      waiting_.pop_front();
      if (auto ok = follow(way); !ok) return tl::make_unexpected(ok.error());
    }
    // Where nothing is found and nothing else was wrong, all ways led back to accounts on them.
    if (out_.targets.empty())
      fail(fault_.value_or(Verdict::kLoop), fault_ ? std::move(why_) : why_behind_account(Verdict::kLoop));
    return std::move(out_);
  }

 private:
  struct Way {
    std::string address{};
    std::uint64_t from = 0;  ///< the account that forwards to it; 0: none
    std::size_t depth = 0;   ///< aliases and accounts before it
  };

  void fail(Verdict verdict, std::string why) {
    if (!out_.why.empty()) return;
    out_.verdict = verdict;
    out_.why = std::move(why);
  }

  template <class... Args>
  void step(fmt::format_string<Args...> text, Args&&... args) {
    if (steps_) out_.steps.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  /// A way that ends nowhere. The first one is what the whole fails by, if no other way ends well; where an
  /// account forwards to is not told to strangers.
  void fault(const Way& way, Verdict verdict, std::string why) {
    step("{}", why);
    if (fault_) return;
    fault_ = verdict;
    why_ = way.from == 0 ? std::move(why) : why_behind_account(verdict);
  }

  std::string why_behind_account(Verdict verdict) const {
    if (verdict == Verdict::kUnknown)
      return fmt::format("{} is forwarded to an address that does not exist", asked_);
    return fmt::format("the forwarding addresses of {} lead in a circle and nowhere else", asked_);
  }

  void ours(const Way& way) {
    if (way.depth == 0) out_.verdict = Verdict::kLocal;
  }

  po::Result<void> follow(Way& way);
  po::Result<bool> try_account(const Way& way, const std::string& key);
  const std::string* alias_of(const std::string& key, const std::string& base) const;
  bool rewrite(Way& way, const std::string& outgoing, std::vector<std::string>& rewritten);
  void enter(Account account, const Way& way);
  void forward(const Account& account, const Way& way);
  po::Result<void> end_in_local_domain(const Way& way, const std::string& key);
  po::Result<void> catch_all(const Way& way);
  void hold(const Way& way);
  void end_elsewhere(const Way& way, const std::string& domain);
  void add(Target::Kind kind, std::uint64_t account, const std::string& address);

  const Questions& ask_;
  const std::string_view asked_;
  const bool steps_;
  Resolution out_;
  std::deque<Way> waiting_;
  std::set<std::uint64_t> entered_;  ///< accounts whose forwarding addresses wait or were followed
  std::set<std::tuple<Target::Kind, std::uint64_t, std::string>> found_;
  std::optional<Verdict> fault_;
  std::string why_;
};

/// Follows one address, through its aliases, to where it ends or forks.
po::Result<void> Walk::follow(Way& way) {
  std::vector<std::string> rewritten;  // folded, in order
  if (way.from != 0) step("account number {} forwards to {}", way.from, way.address);
  for (;;) {
    if (way.address.find('@') == std::string::npos &&
        !po::equal_ignoring_case(way.address, kPostmasterName)) {
      way.address += "@" + ask_.tables.completion_domain;
      step("an address without a domain is completed: {}", way.address);
    }
    std::string key = record::fold(way.address);
    std::string base = ask_.settings.plus_addresses ? without_plus(key) : std::string();
    auto done = try_account(way, key);
    if (done && !*done && !base.empty()) done = try_account(way, base);
    if (!done) return tl::make_unexpected(done.error());
    if (*done) return {};
    const std::string* outgoing = alias_of(key, base);
    if (!outgoing) {
      std::string domain(split(key).second);
      if (domain.empty() || ask_.tables.is_local(domain))
        return end_in_local_domain(way, base.empty() ? key : base);
      end_elsewhere(way, domain);
      return {};
    }
    ours(way);
    rewritten.push_back(std::move(key));
    if (!rewrite(way, *outgoing, rewritten)) return {};
  }
}

po::Result<bool> Walk::try_account(const Way& way, const std::string& key) {
  auto found = ask_.account_of(key);
  if (!found) return tl::make_unexpected(found.error());
  if (!*found) return false;
  step("{} is an address of {}", key, shown(**found));
  enter(std::move(**found), way);
  return true;
}

/// Where an alias of the address leads, or of what it is without its plus part; null if there is none.
const std::string* Walk::alias_of(const std::string& key, const std::string& base) const {
  auto alias = ask_.tables.aliases.find(key);
  if (alias == ask_.tables.aliases.end() && !base.empty()) alias = ask_.tables.aliases.find(base);
  return alias == ask_.tables.aliases.end() ? nullptr : &alias->second;
}

/// `rewritten` ends with what is rewritten now. False: a circle, or too many.
bool Walk::rewrite(Way& way, const std::string& outgoing, std::vector<std::string>& rewritten) {
  step("a channel alias makes {} out of {}", outgoing, way.address);
  auto before = std::find(rewritten.begin(), rewritten.end(), record::fold(outgoing));
  if (before != rewritten.end()) {
    fault(way, Verdict::kLoop, circle(before, rewritten.end()));
    return false;
  }
  if (++way.depth > kMostSteps) {
    fault(way, Verdict::kLoop, too_deep());
    return false;
  }
  way.address = outgoing;
  return true;
}

void Walk::enter(Account account, const Way& way) {
  ours(way);
  bool from_itself = way.from == account.id;
  bool dropped = account.unix_delivery && !account.unix_login.empty();
  if (dropped) {
    step("it goes into the mail drop of the host's user {}", account.unix_login);
    add(Target::Kind::kMaildrop, account.id, way.address);
  }
  bool elsewhere = dropped || !account.forwarding.empty();
  if (account.id == kPostmaster || account.pop3_delivery || !elsewhere || (from_itself && !dropped)) {
    step("it goes into the mailbox of account number {}", account.id);
    add(Target::Kind::kMailbox, account.id, way.address);
  }
  if (!account.forwarding.empty() && !from_itself) forward(account, way);
  if (!out_.account) out_.account = std::move(account);
}

void Walk::forward(const Account& account, const Way& way) {
  if (!entered_.insert(account.id).second) {
    step("where {} forwards to has been looked at already", shown(account));
    return;
  }
  if (way.depth == kMostSteps) return fault(way, Verdict::kLoop, too_deep());
  for (const std::string& address : account.forwarding)
    waiting_.push_back({address, account.id, way.depth + 1});
}

po::Result<void> Walk::end_in_local_domain(const Way& way, const std::string& key) {
  ours(way);
  auto [local, domain] = split(key);
  if (local == kPostmasterName) {
    step("{} is the Postmaster: so is postmaster at any local mail domain", way.address);
    auto found = ask_.account(kPostmaster);
    if (!found) return tl::make_unexpected(found.error());
    if (*found) {
      enter(std::move(**found), way);
      return {};
    }
  }
  step("{} is a local mail domain: all its addresses are known here", domain);
  if (ask_.settings.unknown_users == UnknownUsers::kDeliver) return catch_all(way);
  if (ask_.settings.unknown_users == UnknownUsers::kHold) {
    hold(way);
  } else if (way.depth == 0) {
    fault(way, Verdict::kUnknown, fmt::format("there is no address {} here", way.address));
  } else {
    fault(way, Verdict::kUnknown,
          fmt::format("{} leads to {}, and there is no such address here", asked_, way.address));
  }
  return {};
}

po::Result<void> Walk::catch_all(const Way& way) {
  const std::string& name = ask_.settings.catch_all;
  auto found = ask_.account_of(record::fold(name));
  if (!found) return tl::make_unexpected(found.error());
  if (*found) {
    step("{} is nobody's; such mail goes to {}, {}", way.address, name, shown(**found));
    enter(std::move(**found), way);
    return {};
  }
  // What the Postmaster wanted to have must not come back because an account has gone.
  step("Catch-All-Address [{}] is no account's address", name);
  hold(way);
  return {};
}

void Walk::hold(const Way& way) {
  step("{} is nobody's; it is held for the Postmaster", way.address);
  add(Target::Kind::kHeld, 0, way.address);
}

void Walk::end_elsewhere(const Way& way, const std::string& domain) {
  bool relay = ask_.tables.relay_domains.count(domain) != 0;
  if (way.depth == 0) out_.verdict = relay ? Verdict::kRelayDomain : Verdict::kRemote;
  step("{} is {}: {} is sent on", domain, relay ? "a relay domain" : "no local mail domain", way.address);
  add(Target::Kind::kRemote, 0, way.address);
}

/// A mailbox, and a mail drop, counts once, whatever address led to it.
void Walk::add(Target::Kind kind, std::uint64_t account, const std::string& address) {
  if (!found_.emplace(kind, account, account != 0 ? std::string() : address).second) return;
  out_.targets.push_back({kind, account, address});
}

/// Cuts "<address>" off.
po::Result<std::string> take_address(std::string_view& text, std::string_view completion_domain) {
  auto path = po::parse_path(text, {.utf8 = true, .need_domain = completion_domain.empty()});
  if (!path) return tl::make_unexpected(path.error());
  if (path->null) return po::permanent("<> is no address");
  text = path->rest;
  if (path->mailbox.domain.empty()) path->mailbox.domain = completion_domain;
  return path->mailbox.canonical();
}

}  // namespace

po::Result<ChannelAlias> parse_channel_alias(std::string_view text, std::string_view completion_domain) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '\t', ' ');
  std::string_view rest = po::trim(spaced);
  ChannelAlias alias;
  for (std::string* into : {&alias.incoming, &alias.outgoing}) {
    if (!rest.starts_with('<')) return po::permanent(std::string(kAliasForm));
    auto address = take_address(rest, completion_domain);
    if (!address) return tl::make_unexpected(address.error());
    *into = std::move(*address);
  }
  if (!rest.empty()) return po::permanent(std::string(kAliasForm));
  if (record::fold(alias.incoming) == record::fold(alias.outgoing))
    return po::permanent("this alias leads to itself");
  return alias;
}

std::string channel_alias_text(const ChannelAlias& alias) {
  return fmt::format("<{}> <{}>", alias.incoming, alias.outgoing);
}

AddressTables::AddressTables(const Settings& settings, std::string_view hostname)
    : local_domains(settings.local_domains.begin(), settings.local_domains.end()),
      relay_domains(settings.relay_domains.begin(), settings.relay_domains.end()),
      completion_domain(settings.completion_domain.empty() ? hostname : settings.completion_domain) {
  local_domains.emplace(hostname);
  for (const std::string& line : settings.channel_aliases)
    if (auto alias = parse_channel_alias(line, completion_domain))
      aliases.try_emplace(record::fold(alias->incoming), alias->outgoing);
}

bool AddressTables::is_local(std::string_view domain) const {
  return local_domains.count(std::string(domain)) != 0;
}

po::Result<Resolution> resolve(std::string_view address, const Questions& ask, bool steps) {
  return Walk(ask, address, steps).run();
}

}  // namespace directory
