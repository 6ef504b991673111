#include "smtpd/sendmail/options.h"

#include <algorithm>
#include <utility>

#include "lib/header.h"
#include "lib/text.h"

namespace sendmail {

namespace {

using Failure = tl::unexpected<std::string>;
using Done = tl::expected<void, std::string>;
using Setter = Done (*)(Options&, std::string_view value);

/// What stands behind a letter.
enum class Takes : std::uint8_t {
  kNothing,
  kValue,  ///< -fjane or -f jane
  kRest,   ///< -q30m, -d0.1, or nothing
};

struct Flag {
  char letter;
  Takes takes;
  Setter set;  ///< null: understood and ignored
};

std::string quoted(std::string_view text) {
  return "\"" + po::for_display(text, 100) + "\"";
}

// ---- single flags

/// Whoever calls a program sendmail has no use for these: they would make it a daemon, or test rule sets.
Done set_mode(Options& o, std::string_view value) {
  static constexpr std::pair<std::string_view, Mode> kModes[] = {
      {"m", Mode::kSend}, {"s", Mode::kSmtp}, {"p", Mode::kPrintQueue}, {"i", Mode::kAliases}};
  for (auto [letter, mode] : kModes) {
    if (value != letter) continue;
    o.mode = mode;
    return {};
  }
  if (value == "d" || value == "D") {
    return Failure("-b" + std::string(value) + ": the mail system is started with post.office start");
  }
  if (value == "v" || value == "t") {
    return Failure("-b" + std::string(value) + ": post.office route ADDRESS tells where an address leads");
  }
  return Failure("there is no mode -b" + po::for_display(value, 100));
}

Done set_sender(Options& o, std::string_view value) {
  value = po::trim(value);
  o.null_sender = value.empty() || value == "<>";
  o.sender.reset();
  if (o.null_sender) return {};
  std::vector<po::Mailbox> found;
  auto added = add_recipients(value, found);
  if (!added) return Failure("the sender " + quoted(value) + " is no address: " + added.error().text);
  if (found.size() != 1) return Failure("the sender " + quoted(value) + " is not one address");
  o.sender = std::move(found.front());
  return {};
}

Done set_full_name(Options& o, std::string_view value) {
  o.full_name = value;
  return {};
}

Done set_from_header(Options& o, std::string_view) {
  o.from_header = true;
  return {};
}

Done set_ignore_dots(Options& o, std::string_view) {
  o.dot_ends = false;
  return {};
}

Done set_verbose(Options& o, std::string_view) {
  o.verbose = true;
  return {};
}

Done set_aliases(Options& o, std::string_view) {
  o.mode = Mode::kAliases;
  return {};
}

/// "f" is "in the foreground". Intervals (30m) and parts (Rexample) are for a queue that does not run by
/// itself.
Done set_run_queue(Options& o, std::string_view value) {
  o.mode = Mode::kRunQueue;
  o.whole_queue = value.empty() || value == "f";
  return {};
}

Done set_config(Options& o, std::string_view value) {
  o.config_file = value;
  return {};
}

Done set_on_error(Options& o, std::string_view value) {
  static constexpr std::pair<std::string_view, OnError> kWays[] = {{"p", OnError::kPrint},
                                                                   {"w", OnError::kPrint},
                                                                   {"q", OnError::kQuiet},
                                                                   {"m", OnError::kMailBack},
                                                                   {"e", OnError::kMailAndZero}};
  for (auto [letter, way] : kWays) {
    if (value != letter) continue;
    o.on_error = way;
    return {};
  }
  return Failure("-e takes one of m, e, p, q, w, not " + quoted(value));
}

/// Of the many options of sendmail's own configuration two change what is sent; the others are about a queue
/// and a daemon that are not here.
Done set_old_option(Options& o, std::string_view value) {
  if (value.starts_with('i')) o.dot_ends = false;
  if (value.starts_with('e')) return set_on_error(o, value.substr(1));
  return {};
}

Done set_body(Options& o, std::string_view value) {
  o.body_8bit = po::equal_ignoring_case(value, "8BITMIME");
  if (o.body_8bit || po::equal_ignoring_case(value, "7BIT")) return {};
  return Failure("-B takes 7BIT or 8BITMIME, not " + quoted(value));
}

/// RFC 3461 4.1: NEVER, or a list of the others, none twice.
Done set_notify(Options& o, std::string_view value) {
  constexpr std::string_view kWords[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
  std::string bad = "-N takes never, or failure,delay,success, not " + quoted(value);
  bool used[4] = {};
  o.notify.clear();
  while (true) {
    std::size_t comma = value.find(',');
    std::string_view word = po::trim(value.substr(0, comma));
    std::size_t i = 0;
    while (i < 4 && !po::equal_ignoring_case(word, kWords[i])) ++i;
    if (i == 4 || std::exchange(used[i], true)) return Failure(bad);
    if (!o.notify.empty()) o.notify += ',';
    o.notify += kWords[i];
    if (comma == std::string_view::npos) break;
    value.remove_prefix(comma + 1);
  }
  if (used[0] && o.notify != kWords[0]) return Failure(bad);
  return {};
}

Done set_ret(Options& o, std::string_view value) {
  o.ret = po::equal_ignoring_case(value, "full")   ? "FULL"
          : po::equal_ignoring_case(value, "hdrs") ? "HDRS"
                                                   : "";
  if (o.ret.empty()) return Failure("-R takes full or hdrs, not " + quoted(value));
  return {};
}

Done set_envid(Options& o, std::string_view value) {
  constexpr std::size_t kMaxEnvid = 100;  // RFC 3461 4.4, encoded
  std::string encoded = po::xtext_encode(value);
  if (value.empty() || !po::is_ascii(value) || po::has_control(value) || encoded.size() > kMaxEnvid) {
    return Failure("-V takes up to 100 printable characters, not " + quoted(value));
  }
  o.envid = value;
  return {};
}

constexpr Flag kFlags[] = {
    {'A', Takes::kValue, nullptr},  // -Ac, -Am: there is one configuration
    {'B', Takes::kValue, set_body},       {'C', Takes::kValue, set_config},
    {'F', Takes::kValue, set_full_name},  {'G', Takes::kNothing, nullptr},
    {'I', Takes::kNothing, set_aliases},  {'L', Takes::kValue, nullptr},
    {'M', Takes::kValue, nullptr},        {'N', Takes::kValue, set_notify},
    {'O', Takes::kValue, nullptr},        {'R', Takes::kValue, set_ret},
    {'T', Takes::kRest, nullptr},         {'U', Takes::kNothing, nullptr},
    {'V', Takes::kValue, set_envid},      {'X', Takes::kValue, nullptr},
    {'b', Takes::kValue, set_mode},       {'d', Takes::kRest, nullptr},
    {'e', Takes::kValue, set_on_error},   {'f', Takes::kValue, set_sender},
    {'h', Takes::kValue, nullptr},        {'i', Takes::kNothing, set_ignore_dots},
    {'m', Takes::kNothing, nullptr},      {'n', Takes::kNothing, nullptr},
    {'o', Takes::kValue, set_old_option}, {'p', Takes::kValue, nullptr},
    {'q', Takes::kRest, set_run_queue},   {'r', Takes::kValue, set_sender},
    {'s', Takes::kNothing, nullptr},      {'t', Takes::kNothing, set_from_header},
    {'v', Takes::kNothing, set_verbose},  {'x', Takes::kNothing, nullptr},
};

// ---- the walk over the words

class Words {
 public:
  Words(std::span<const char* const> words, Options& out) : words_(words), out_(out) {}

  /// Options end at the first word that is none, as they always have: what a script puts behind an address,
  /// perhaps from a stranger's form, is never taken for an option.
  Done run() {
    while (at_ < words_.size()) {
      std::string_view word = words_[at_];
      if (word.size() < 2 || word[0] != '-') break;
      ++at_;
      if (word == "--") break;
      if (auto r = cluster(word.substr(1)); !r) return r;
    }
    for (; at_ < words_.size(); ++at_) {
      if (auto r = recipient(words_[at_]); !r) return r;
    }
    return {};
  }

 private:
  /// Several letters may share a word: -ti, -tifjane.
  Done cluster(std::string_view letters) {
    while (!letters.empty()) {
      char letter = letters[0];
      letters.remove_prefix(1);
      const auto* flag = std::find_if(std::begin(kFlags), std::end(kFlags),
                                      [&](const Flag& f) { return f.letter == letter; });
      if (flag == std::end(kFlags)) {
        return Failure("there is no option -" + po::for_display(std::string(1, letter)));
      }
      std::string_view value;
      if (flag->takes != Takes::kNothing) value = std::exchange(letters, {});
      if (flag->takes == Takes::kValue && value.empty()) {
        if (at_ == words_.size()) return Failure(std::string("-") + letter + " needs a word behind it");
        value = words_[at_++];
      }
      if (flag->set == nullptr) continue;
      if (auto r = flag->set(out_, value); !r) return r;
    }
    return {};
  }

  Done recipient(std::string_view word) {
    std::size_t before = out_.recipients.size();
    auto added = add_recipients(word, out_.recipients);
    if (!added) return Failure(quoted(word) + " is no address: " + added.error().text);
    if (out_.recipients.size() == before) return Failure(quoted(word) + " is no address");
    if (out_.recipients.size() > kMostRecipients) return Failure("there are too many recipients");
    return {};
  }

  std::span<const char* const> words_;
  Options& out_;
  std::size_t at_ = 0;
};

}  // namespace

tl::expected<Options, std::string> parse_options(std::string_view name,
                                                 std::span<const char* const> arguments) {
  Options out;
  if (name == "mailq") out.mode = Mode::kPrintQueue;
  if (name == "newaliases") out.mode = Mode::kAliases;
  if (auto r = Words(arguments, out).run(); !r) return Failure(std::move(r.error()));
  return out;
}

po::Result<void> add_recipients(std::string_view list, std::vector<po::Mailbox>& out) {
  auto found = po::parse_address_list(list, {.most = kMostRecipients, .may_be_empty = true});
  if (!found) return tl::unexpected<po::Error>(std::move(found.error()));
  for (po::Mailbox& m : *found) {
    auto path = m.domain.empty() ? po::rewrite_bang_path(m.canonical()) : std::nullopt;
    auto rewritten = path ? po::parse_mailbox(*path, {.utf8 = true}) : po::Result<po::Mailbox>(std::move(m));
    if (!rewritten) return tl::unexpected<po::Error>(std::move(rewritten.error()));
    out.push_back(std::move(*rewritten));
  }
  return {};
}

}  // namespace sendmail
