#include "queue/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "lib/address.h"
#include "lib/text.h"
#include "queue/queue_change.h"
#include "queue/queue_list.h"
#include "queue/queue_show.h"
#include "queue/queue_summary.h"
#include "queue/queue_text.h"
#include "queue/route_command.h"

namespace queue {

using po::MessageId;
using po::messages::CommandOutput;

static constexpr std::size_t kShown = 20;

static CommandOutput fail(std::uint8_t code, std::string_view text) {
  return {{}, fmt::format("post.office: {}\n", text), true, code};
}

static std::string time_text(const MessageId& id) {
  return id == MessageId{} ? "-" : utc_text(id.made_ms());
}

// ---- queue status

static CommandOutput queue_status(Office& office, bool json) {
  auto totals = office.parts.store.totals();
  if (!totals) return fail(po::kExitTemporary, totals.error().text);
  auto free = office.parts.store.free_space();
  std::uint64_t free_octets = free.value_or(0);
  Writer::Counts counts = office.writer.counts();
  double per_commit =
      counts.commits == 0 ? 0 : static_cast<double>(counts.changes) / static_cast<double>(counts.commits);
  CommandOutput out;
  if (json) {
    out.out = fmt::format(
        "{{\"messages\":{},\"octets\":{},\"mailboxes\":{},\"entries\":{},\"waiting\":{},\"file_octets\":{},"
        "\"free_octets\":{"
        "},"
        "\"oldest\":{},\"in_work\":{},\"stored\":{},\"refused\":{},\"commits\":{},\"changes_per_commit\":{:."
        "2f}}}\n",
        totals->messages, totals->octets, totals->mailboxes, totals->entries, totals->waiting,
        totals->file_octets, free_octets,
        totals->oldest == MessageId{} ? "null" : po::json_string(time_text(totals->oldest)),
        office.changes_in_work, office.stored, office.refused, counts.commits, per_commit);
    return out;
  }
  out.out = fmt::format(
      "Messages:             {} ({})\n"
      "Mailboxes:            {} with {} entries\n"
      "Recipients waiting:   {}\n"
      "Oldest message:       {}\n"
      "Store file:           {}\n"
      "Free disk space:      {}\n"
      "On their way:         {}\n"
      "Since the start:      {} stored, {} refused\n"
      "Commits:              {}, {:.2f} changes each\n",
      totals->messages, size_text(totals->octets), totals->mailboxes, totals->entries, totals->waiting,
      time_text(totals->oldest), size_text(totals->file_octets),
      free ? size_text(free_octets) : free.error().text, office.changes_in_work, office.stored,
      office.refused, counts.commits, per_commit);
  return out;
}

// ---- mailbox ADDRESS

namespace {

struct MailboxView {
  std::string address;
  std::uint64_t account = 0, limit = 0;
  store::Usage usage;
  std::optional<MessageId> oldest;
  std::vector<store::Item> newest;
};

CommandOutput print_text(const MailboxView& v) {
  CommandOutput out;
  out.out = fmt::format(
      "Mailbox:              {} (account {})\nMessages:             {}\nSize:                 {}\n",
      v.address, v.account, v.usage.messages, size_text(v.usage.octets));
  out.out += fmt::format("Limit:                {}\n", v.limit == 0 ? "none" : size_text(v.limit));
  if (v.oldest) out.out += fmt::format("Oldest:               {}\n", time_text(*v.oldest));
  if (!v.newest.empty()) out.out += fmt::format("\nThe last {}:\n", v.newest.size());
  for (const store::Item& i : v.newest) {
    out.out += fmt::format("{}  {}  {:>12}\n", i.id.text(), time_text(i.id), i.size);
  }
  return out;
}

CommandOutput print_json(const MailboxView& v) {
  CommandOutput out;
  out.out =
      fmt::format("{{\"address\":{},\"account\":{},\"messages\":{},\"octets\":{},\"limit\":{},\"oldest\":{},",
                  po::json_string(v.address), v.account, v.usage.messages, v.usage.octets, v.limit,
                  v.oldest ? po::json_string(time_text(*v.oldest)) : "null");
  out.out += "\"newest\":[";
  const char* comma = "";
  for (const store::Item& i : v.newest) {
    out.out += fmt::format("{}{{\"id\":\"{}\",\"time\":\"{}\",\"octets\":{}}}", comma, i.id.text(),
                           time_text(i.id), i.size);
    comma = ",";
  }
  out.out += "]}\n";
  return out;
}

}  // namespace

static store::Result<void> look_at(const store::Store& store, MailboxView& view) {
  auto usage = store.usage(view.account);
  if (!usage) return tl::unexpected(usage.error());
  auto first = store.list(view.account, {}, 1);
  if (!first) return tl::unexpected(first.error());
  auto newest = store.newest(view.account, kShown);
  if (!newest) return tl::unexpected(newest.error());
  view.usage = *usage;
  if (!first->empty()) view.oldest = first->front().id;
  view.newest = std::move(*newest);
  return {};
}

static po::Result<po::Mailbox> parse_any_address(const std::string& address) {
  po::AddressRules rules;
  rules.utf8 = true;
  rules.need_domain = false;
  return po::parse_mailbox(address, rules);
}

static CommandOutput mailbox(Office& office, const std::string& address, bool json) {
  auto parsed = parse_any_address(address);
  if (!parsed) return fail(po::kExitRefused, parsed.error().text);
  auto routed = office.parts.routing.resolve(parsed->canonical(), false);
  if (!routed) return fail(po::kExitTemporary, routed.error().text);
  if (!routed->account) {
    return fail(po::kExitRefused,
                fmt::format("no account has the address {}; post.office account list shows all",
                            po::for_display(parsed->canonical())));
  }
  MailboxView view;
  view.address = routed->account->addresses.empty() ? parsed->canonical() : routed->account->addresses[0];
  view.account = routed->account->id;
  view.limit =
      routed->account->mailbox_limit != 0 ? routed->account->mailbox_limit : office.parts.default_limit();
  auto looked = look_at(office.parts.store, view);
  if (!looked) return fail(po::kExitTemporary, looked.error().text);
  return json ? print_json(view) : print_text(view);
}

// ---- what walks the queue

namespace {

using Task = std::unique_ptr<po::CommandTask>;
using Words = std::vector<std::string>;

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr std::string_view kSelection =
    "[ID]... [--sender A] [--recipient A] [--domain D] [--hop H] [--older AGE] [--state STATE]";

Task ready(CommandOutput out) {
  return std::make_unique<po::ReadyAnswer>(std::move(out));
}

Task refuse(std::uint8_t code, std::string_view text) {
  return ready(fail(code, text));
}

Task usage(std::string_view command, std::string_view why, std::string_view form) {
  return ready({{},
                fmt::format("post.office: {}: {}\nusage: post.office {} {}\n", command, why, command, form),
                true,
                po::kExitUsage});
}

std::unique_ptr<QueueScan> scan_for(const CommandParts& p, QueueFilter filter, QueueScan::Heads heads) {
  return std::make_unique<QueueScan>(p.office.parts.store, p.control, std::move(filter), heads, now_ms());
}

Task list(const CommandParts& p, const Words& words) {
  auto parsed = parse_queue_words(words, {"--json", "--limit", "--after"});
  if (!parsed) {
    return usage("queue list", parsed.error().text,
                 fmt::format("{} [--limit N] [--after ID[/N]] [--json]", kSelection));
  }
  auto form = parsed->has("--json") ? QueueList::Form::kJson : QueueList::Form::kText;
  auto limit = parsed->limit.value_or(kNoLimit);
  return std::make_unique<QueueList>(scan_for(p, std::move(parsed->filter), QueueScan::Heads::kAll), form,
                                     limit, now_ms());
}

Task mailq(const CommandParts& p, const Words& words) {
  if (!words.empty()) return usage("mailq", "no further words", "");
  return std::make_unique<QueueList>(scan_for(p, {}, QueueScan::Heads::kAll), QueueList::Form::kMailq,
                                     kNoLimit, now_ms());
}

Task show(const CommandParts& p, const Words& words) {
  constexpr std::string_view kForm = "ID [--headers | --content | --json]";
  auto parsed = parse_queue_words(words, {"--json", "--headers", "--content"});
  if (!parsed) return usage("queue show", parsed.error().text, kForm);
  if (parsed->filter.ids.size() != 1 || parsed->filter.selects_by_more_than_ids())
    return usage("queue show", "one id", kForm);
  bool headers = parsed->has("--headers"), content = parsed->has("--content"), json = parsed->has("--json");
  if (headers + content + json > 1) return usage("queue show", "one option at most", kForm);
  auto part = headers   ? QueueShow::Part::kHeaders
              : content ? QueueShow::Part::kContent
                        : QueueShow::Part::kEnvelope;
  return std::make_unique<QueueShow>(p.office.parts.store, p.control, parsed->filter.ids[0], part, json,
                                     now_ms());
}

Task summary(const CommandParts& p, const Words& words) {
  auto parsed = parse_queue_words(words, {"--json", "--limit", "--senders"});
  if (!parsed) {
    return usage("queue summary", parsed.error().text,
                 fmt::format("{} [--senders] [--limit N] [--json]", kSelection));
  }
  QueueSummary::Options options;
  options.json = parsed->has("--json");
  if (parsed->has("--senders")) options.by = QueueSummary::By::kSenderDomain;
  options.limit = static_cast<std::size_t>(parsed->limit.value_or(options.json ? 0 : 40));
  auto heads = parsed->has("--senders") ? QueueScan::Heads::kAll : QueueScan::Heads::kForSender;
  return std::make_unique<QueueSummary>(scan_for(p, std::move(parsed->filter), heads), options, now_ms());
}

Task watch(const CommandParts& p, const Words& words) {
  auto parsed = parse_queue_words(words, {"--json"});
  if (!parsed || parsed->filter.older_ms || parsed->filter.state || !parsed->filter.hop.empty()) {
    return usage("queue watch", parsed ? "only --sender, --recipient, --domain and ids" : parsed.error().text,
                 "[ID]... [--sender A] [--recipient A] [--domain D] [--json]");
  }
  auto totals = p.office.parts.store.totals();
  if (!totals) return refuse(po::kExitTemporary, totals.error().text);
  bool json = parsed->has("--json");
  std::string greeting =
      json ? std::string()
           : fmt::format("{} recipients wait; what happens is told until you interrupt\n", totals->waiting);
  return std::make_unique<QueueWatch>(p.office.parts.loop, p.watchers, std::move(parsed->filter), json,
                                      std::move(greeting));
}

// ---- what changes it

struct ChangeWord {
  std::string_view word;
  QueueChange::Verb verb;
};
constexpr ChangeWord kChangeWords[] = {
    {"retry", QueueChange::Verb::kRetry},     {"hold", QueueChange::Verb::kHold},
    {"release", QueueChange::Verb::kRelease}, {"remove", QueueChange::Verb::kBounce},
    {"reroute", QueueChange::Verb::kReroute}, {"expire", QueueChange::Verb::kExpire}};

std::vector<std::string_view> flags_of(std::string_view word) {
  std::vector<std::string_view> flags = {"--json"};
  if (word == "remove") flags.insert(flags.end(), {"--bounce", "--discard"});
  if (word == "reroute") flags.push_back("--to");
  return flags;
}

std::string form_of(std::string_view word) {
  std::string own = word == "remove" ? "--bounce | --discard " : word == "reroute" ? "[--to HOST] " : "";
  return fmt::format("{}--all | {} [--json]", own, kSelection);
}

// Nothing is thrown away, and nobody is told that it was, because of a word that was left out.
Task change(const CommandParts& p, const ChangeWord& change, const Words& words) {
  std::string command = fmt::format("queue {}", change.word);
  auto parsed = parse_queue_words(words, flags_of(change.word));
  if (!parsed) return usage(command, parsed.error().text, form_of(change.word));
  if (!parsed->filter.selects()) {
    return usage(command, "say which messages, or --all", form_of(change.word));
  }
  QueueChange::Options options;
  options.verb = change.verb;
  options.json = parsed->has("--json");
  options.to = parsed->to;
  options.all = parsed->filter.all;
  if (!options.to.empty()) {
    auto hop = p.control.hop_by(options.to, "somebody@example.org");
    if (!hop) return usage(command, hop.error().text, form_of(change.word));
  }
  if (change.word == "remove") {
    if (parsed->has("--bounce") == parsed->has("--discard")) {
      return usage(command, "say --bounce (the senders are told) or --discard (nobody is told)",
                   form_of(change.word));
    }
    if (parsed->has("--discard")) options.verb = QueueChange::Verb::kDiscard;
  }
  bool rerouted = change.verb == QueueChange::Verb::kReroute;  // senders may have options of their own
  auto heads = rerouted ? QueueScan::Heads::kAll : QueueScan::Heads::kForSender;
  return std::make_unique<QueueChange>(p.office, p.control, scan_for(p, std::move(parsed->filter), heads),
                                       std::move(options));
}

// ---- words

Task route(const CommandParts& p, Words words) {
  constexpr std::string_view kForm = "ADDRESS [--from ADDRESS] [--json]";
  auto json = std::find(words.begin(), words.end(), "--json");
  bool as_json = json != words.end();
  if (as_json) words.erase(json);
  std::string from;
  auto option = std::find(words.begin(), words.end(), "--from");
  if (option != words.end()) {
    if (option + 1 == words.end()) return usage("route", "--from needs an address", kForm);
    from = *(option + 1);
    words.erase(option, option + 2);
  }
  if (words.size() != 1 || words[0].starts_with("--")) return usage("route", "one address", kForm);
  auto address = parse_any_address(words[0]);
  if (!address) return refuse(po::kExitRefused, address.error().text);
  std::string sender;
  if (!from.empty() && from != "<>") {
    auto parsed = parse_any_address(from);
    if (!parsed) return refuse(po::kExitRefused, parsed.error().text);
    sender = parsed->canonical();
  }
  return std::make_unique<RouteCommand>(p.office.parts.loop, p.control, address->canonical(), sender,
                                        as_json);
}

}  // namespace

CommandOutput run_command(Office& office, const std::vector<std::string>& words) {
  Words plain;
  bool json = false;
  for (const std::string& w : words) {
    if (w == "--json") {
      json = true;
    } else {
      plain.push_back(w);
    }
  }
  if (plain.size() == 2 && plain[0] == "mailbox") return mailbox(office, plain[1], json);
  if (plain.size() == 2 && plain[0] == "queue" && plain[1] == "status") return queue_status(office, json);
  return fail(po::kExitUsage,
              "usage: post.office queue status | list | show | summary | watch | mailq | retry | hold | "
              "release | remove | reroute | expire, route ADDRESS, mailbox ADDRESS; see post.office(8)");
}

Task make_task(const CommandParts& parts, const Words& words) {
  if (words.empty()) return ready(run_command(parts.office, words));
  Words rest(words.begin() + 1, words.end());
  if (words[0] == "route") return route(parts, std::move(rest));
  if (words[0] == "mailq") return mailq(parts, rest);
  if (words[0] != "queue" || rest.empty()) return ready(run_command(parts.office, words));
  std::string verb = rest[0];
  rest.erase(rest.begin());
  if (verb == "list") return list(parts, rest);
  if (verb == "mailq") return mailq(parts, rest);
  if (verb == "show") return show(parts, rest);
  if (verb == "summary") return summary(parts, rest);
  if (verb == "watch") return watch(parts, rest);
  for (const ChangeWord& c : kChangeWords)
    if (c.word == verb) return change(parts, c, rest);
  return ready(run_command(parts.office, words));
}

}  // namespace queue
