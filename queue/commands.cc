#include "queue/commands.h"

#include <fmt/format.h>

#include <ctime>
#include <optional>
#include <vector>

#include "lib/address.h"
#include "lib/text.h"

namespace queue {

using po::MessageId;
using po::messages::CommandOutput;

static constexpr std::uint8_t kExitRefused = 1, kExitUsage = 64, kExitTemporary = 75;
static constexpr std::size_t kShown = 20;

static CommandOutput fail(std::uint8_t code, std::string_view text) {
  return {{}, fmt::format("post.office: {}\n", text), true, code};
}

static std::uint64_t ms_of(const MessageId& id) {
  std::uint64_t ms = 0;
  for (int i = 0; i < 6; ++i) ms = ms << 8 | id.octets[static_cast<std::size_t>(i)];
  return ms;
}

static std::string time_text(const MessageId& id) {
  if (id == MessageId{}) return "-";
  auto seconds = static_cast<time_t>(ms_of(id) / 1000);
  tm utc{};
  char text[40] = "";
  if (gmtime_r(&seconds, &utc) != nullptr) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

static std::string size_text(std::uint64_t octets) {
  if (octets < 10'000) return fmt::format("{} octets", octets);
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(octets) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit < 3) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

// ---- queue status

static CommandOutput queue_status(Office& office, bool json) {
  auto totals = office.parts.store.totals();
  if (!totals) return fail(kExitTemporary, totals.error().text);
  auto free = office.parts.store.free_space();
  std::uint64_t free_octets = free.value_or(0);
  Writer::Counts counts = office.writer.counts();
  double per_commit =
      counts.commits == 0 ? 0 : static_cast<double>(counts.changes) / static_cast<double>(counts.commits);
  CommandOutput out;
  if (json) {
    out.out = fmt::format(
        "{{\"messages\":{},\"octets\":{},\"mailboxes\":{},\"entries\":{},\"file_octets\":{},\"free_octets\":{"
        "},"
        "\"oldest\":{},\"in_work\":{},\"stored\":{},\"refused\":{},\"commits\":{},\"changes_per_commit\":{:."
        "2f}}}\n",
        totals->messages, totals->octets, totals->mailboxes, totals->entries, totals->file_octets,
        free_octets, totals->oldest == MessageId{} ? "null" : po::json_string(time_text(totals->oldest)),
        office.changes_in_work, office.stored, office.refused, counts.commits, per_commit);
    return out;
  }
  out.out = fmt::format(
      "Messages:             {} ({})\n"
      "Mailboxes:            {} with {} entries\n"
      "Oldest message:       {}\n"
      "Store file:           {}\n"
      "Free disk space:      {}\n"
      "On their way:         {}\n"
      "Since the start:      {} stored, {} refused\n"
      "Commits:              {}, {:.2f} changes each\n",
      totals->messages, size_text(totals->octets), totals->mailboxes, totals->entries,
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

static CommandOutput mailbox(Office& office, const std::string& address, bool json) {
  po::AddressRules rules;
  rules.utf8 = true;
  rules.need_domain = false;
  auto parsed = po::parse_mailbox(address, rules);
  if (!parsed) return fail(kExitRefused, parsed.error().text);
  auto routed = office.parts.route(parsed->canonical());
  if (!routed) return fail(kExitTemporary, routed.error().text);
  if (!routed->account) {
    return fail(kExitRefused, fmt::format("no account has the address {}; post.office account list shows all",
                                          po::for_display(parsed->canonical())));
  }
  MailboxView view;
  view.address = routed->account->addresses.empty() ? parsed->canonical() : routed->account->addresses[0];
  view.account = routed->account->id;
  view.limit =
      routed->account->mailbox_limit != 0 ? routed->account->mailbox_limit : office.parts.default_limit();
  auto looked = look_at(office.parts.store, view);
  if (!looked) return fail(kExitTemporary, looked.error().text);
  return json ? print_json(view) : print_text(view);
}

CommandOutput run_command(Office& office, std::span<const std::string> words) {
  std::vector<std::string> plain;
  bool json = false;
  for (const std::string& w : words) {
    if (w == "--json") {
      json = true;
    } else {
      plain.push_back(w);
    }
  }
  if (plain.size() == 2 && plain[0] == "queue" && plain[1] == "status") return queue_status(office, json);
  if (plain.size() == 2 && plain[0] == "mailbox") return mailbox(office, plain[1], json);
  return fail(kExitUsage, "usage: post.office queue status [--json], post.office mailbox ADDRESS [--json]");
}

}  // namespace queue
