#include "dispatcher/trace.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "dispatcher/client.h"
#include "lib/fd.h"
#include "lib/id.h"
#include "lib/story.h"
#include "lib/text.h"

namespace dispatcher {

using po::Fd;
using po::LogRecord;
using po::permanent;
using po::Result;

// ---- words

static Result<std::uint32_t> parse_days(std::string_view text) {
  std::uint32_t n = 0;
  bool ok = !text.empty() && text.size() <= 5;
  for (char c : text) {
    ok = ok && po::is_digit(c);
    n = n * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (!ok || n == 0) return permanent("--days takes a number of days");
  return n;
}

static std::string_view without_brackets(std::string_view text) {
  bool both = text.size() > 2 && text.front() == '<' && text.back() == '>';
  return both ? text.substr(1, text.size() - 2) : text;
}

/// An id has its own form; <a@b> is how a Message-ID is written; a@b is an address.
static Result<void> take_subject(TraceQuery& query, std::string_view word) {
  if (!query.text.empty()) return permanent("one id, address or Message-ID at a time");
  if (po::MessageId::parse(po::ascii_lower(word))) {
    query.by = TraceQuery::By::kId;
    query.text = po::ascii_lower(word);
  } else if (word.size() > 2 && word.front() == '<') {
    query.by = TraceQuery::By::kMessageId;
    query.text = without_brackets(word);
  } else {
    query.by = TraceQuery::By::kAddress;
    query.text = word;
  }
  if (query.text.empty()) return permanent("an empty word names nothing");
  return {};
}

Result<TraceQuery> parse_trace_words(const std::vector<std::string>& words) {
  TraceQuery query;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    bool days = word == "--days" || word.starts_with("--days=");
    if (word == "--json") {
      query.json = true;
    } else if (days) {
      bool apart = word == "--days";
      if (apart && i + 1 >= words.size()) return permanent("--days needs a number");
      auto n = parse_days(apart ? std::string_view(words[++i]) : word.substr(7));
      if (!n) return tl::unexpected(n.error());
      query.days = *n;
    } else if (word.starts_with("--")) {
      return permanent(fmt::format("there is no option {}", po::for_terminal(word, 40)));
    } else if (auto taken = take_subject(query, word); !taken) {
      return tl::unexpected(taken.error());
    }
  }
  if (query.text.empty()) return permanent("whose story? An id, an address, or a <Message-ID>");
  return query;
}

// ---- which lines

/// Where a line names people. A value may hold several, with commas between.
static constexpr std::string_view kAddressKeys[] = {"from",     "to",    "sender", "recipient",
                                                    "original", "login", "orig"};

static bool names_address(std::string_view list, std::string_view address) {
  while (!list.empty()) {
    auto comma = list.find(',');
    if (po::equal_ignoring_case(list.substr(0, comma), address)) return true;
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return false;
}

/// Ids and names of sessions stand bare in a line: found without reading all of it.
static std::string_view bare_field(std::string_view line, std::string_view key) {
  auto at = line.find(key);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + key.size());
  return line.substr(0, line.find(' '));
}

static bool contains_ignoring_case(std::string_view line, std::string_view text) {
  auto same = [](char a, char b) { return po::ascii_lower(a) == po::ascii_lower(b); };
  return std::search(line.begin(), line.end(), text.begin(), text.end(), same) != line.end();
}

void TraceFilter::learn_id(const TraceQuery& query) {
  if (query.by == TraceQuery::By::kId) ids_.insert(query.text);
}

void TraceFilter::keep(Names& names, std::string_view name) {
  if (name.empty() || names.contains(name)) return;
  if (names.size() >= kMost) {
    overflowed_ = true;
  } else {
    names.emplace(name);
  }
}

/// Spares most lines the parser. A text that the log would escape stands otherwise in the line.
bool TraceFilter::may_match(std::string_view line) const {
  bool escaped = !po::is_ascii(query_.text) || query_.text.find_first_of("\"\\") != std::string::npos;
  return escaped || contains_ignoring_case(line, query_.text);
}

bool TraceFilter::matches(const LogRecord& record) const {
  switch (query_.by) {
    case TraceQuery::By::kId:
      return record.get("id") == query_.text;
    case TraceQuery::By::kMessageId:
      return without_brackets(record.get("message-id")) == query_.text;
    case TraceQuery::By::kAddress:
      return std::any_of(std::begin(kAddressKeys), std::end(kAddressKeys),
                         [&](std::string_view key) { return names_address(record.get(key), query_.text); });
  }
  return false;
}

void TraceFilter::learn(std::string_view line) {
  std::string_view id = bare_field(line, " id=");
  std::string_view about = bare_field(line, " about=");  // a notice about one of ours
  bool known = (!id.empty() && ids_.contains(id)) || (!about.empty() && ids_.contains(about));
  if (!known && !may_match(line)) return;
  auto record = po::parse_log_line(line);
  if (!record || (!known && !matches(*record))) return;
  keep(ids_, record->get("id"));
  keep(sessions_, record->get("session"));
}

// A line of the session that is about neither this message nor another one tells who was there: the log-in,
// the end with its TLS version.
std::optional<LogRecord> TraceFilter::take(std::string_view line) const {
  std::string_view id = bare_field(line, " id="), session = bare_field(line, " session=");
  bool ours = !id.empty() && ids_.contains(id);
  bool beside = !ours && id.empty() && !session.empty() && sessions_.contains(session);
  if (!ours && !beside && !may_match(line)) return {};
  auto record = po::parse_log_line(line);
  if (!record) return {};
  bool of_session = beside && !record->has("sender") && !record->has("recipient");
  if (!ours && !of_session && !matches(*record)) return {};
  return record;
}

// ---- files

namespace {

struct LogFile {
  Fd fd;
  std::string path;
  std::time_t changed = 0;
  ino_t inode = 0;
};

Result<LogFile> open_log(const std::string& path) {
  LogFile file;
  file.fd = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  file.path = path;
  struct stat st {};
  if (!file.fd || fstat(file.fd.get(), &st) != 0)
    return permanent(fmt::format("{} cannot be read", path), errno);
  file.changed = st.st_mtime;
  file.inode = st.st_ino;
  return file;
}

/// Old files, the oldest first: the stamp in the name sorts by age.
Result<std::vector<std::string>> old_logs(const std::string& directory) {
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return permanent(fmt::format("{} cannot be read", directory), errno);
  std::vector<std::string> names;
  while (dirent* entry = readdir(dir)) {
    std::string name = entry->d_name;
    if (name.starts_with("post.office.log.")) names.push_back(fmt::format("{}/{}", directory, name));
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

/// All of them, those that the query can be about. The newest is opened first: if it is renamed in between,
/// it is met again under its new name, and not lost.
Result<std::vector<LogFile>> open_logs(const std::string& directory, std::time_t from) {
  auto newest = open_log(directory + "/post.office.log");
  if (!newest && newest.error().sys_errno != ENOENT) return tl::unexpected(newest.error());
  auto names = old_logs(directory);
  if (!names) return tl::unexpected(names.error());
  std::vector<LogFile> files;
  for (const std::string& name : *names) {
    auto file = open_log(name);
    if (!file && file.error().sys_errno == ENOENT) continue;  // removed by age in this moment
    if (!file) return tl::unexpected(file.error());
    bool twice = newest && file->inode == newest->inode;
    if (!twice && file->changed >= from) files.push_back(std::move(*file));
  }
  if (newest) files.push_back(std::move(*newest));
  return files;
}

/// Each line without its end; one that is longer than any of ours is passed over.
template <class Take>
Result<void> for_each_line(const LogFile& file, const Take& take) {
  std::string pending;
  std::string piece(256 * 1024, '\0');
  off_t at = 0;
  while (true) {
    ssize_t n = ::pread(file.fd.get(), piece.data(), piece.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return permanent(fmt::format("{} cannot be read", file.path), errno);
    if (n == 0) return {};
    at += n;
    std::string_view rest(piece.data(), static_cast<std::size_t>(n));
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      if (pending.empty()) {
        take(rest.substr(0, end));
      } else {
        take(pending.append(rest.substr(0, end)));
        pending.clear();
      }
      rest.remove_prefix(end + 1);
    }
    if (pending.size() + rest.size() <= 2 * po::kMostLogLine) pending.append(rest);
  }
}

/// As the log begins a line: "time=2026-11-26T02:25:00"; all lines that sort before it are older.
std::string line_begin_at(std::time_t when) {
  tm utc{};
  char text[40] = "";
  if (gmtime_r(&when, &utc) != nullptr) strftime(text, sizeof text, "time=%Y-%m-%dT%H:%M:%S", &utc);
  return text;
}

/// Nothing that was logged before concerns the query.
std::time_t begin_of(const TraceQuery& query) {
  std::time_t from = 0;
  if (query.days > 0) from = std::time(nullptr) - static_cast<std::time_t>(query.days) * 86400;
  auto id = query.by == TraceQuery::By::kId ? po::MessageId::parse(query.text) : std::nullopt;
  // A session may be a day old before it brings the message; one that is older lacks its first lines here.
  if (id) from = std::max(from, static_cast<std::time_t>(id->made_ms() / 1000) - 86400);
  return from;
}

int refuse(const po::Error& error) {
  fmt::print(stderr, "post.office: {}\n", error.text);
  if (error.sys_errno != EACCES && error.sys_errno != EPERM) return 1;
  fmt::print(stderr, "post.office: trace is for root and for the owner of the log files\n");
  return kExitNotAllowed;
}

Result<std::uint64_t> print_story(const std::vector<LogFile>& files, const TraceFilter& filter,
                                  const std::string& begin, bool json) {
  std::uint64_t lines = 0;
  for (const LogFile& file : files) {
    auto read = for_each_line(file, [&](std::string_view line) {
      if (line < begin) return;
      auto record = filter.take(line);
      if (!record) return;
      std::string text = json ? po::story_json(*record) : po::story_line(*record);
      std::fwrite(text.data(), 1, text.size(), stdout);
      ++lines;
    });
    if (!read) return tl::unexpected(read.error());
  }
  std::fflush(stdout);
  return lines;
}

}  // namespace

int run_trace(const po::config::Config& config, const std::vector<std::string>& words) {
  auto query = parse_trace_words(words);
  if (!query) {
    fmt::print(stderr,
               "post.office: trace: {}\nusage: post.office trace ID | ADDRESS | '<MESSAGE-ID>' [--days N] "
               "[--json]\n",
               query.error().text);
    return kExitUsage;
  }
  std::time_t from = begin_of(*query);
  auto files = open_logs(config.log_directory, from);
  if (!files) return refuse(files.error());
  std::string begin = line_begin_at(from);
  TraceFilter filter(*query);
  for (const LogFile& file : *files) {
    auto read = for_each_line(file, [&](std::string_view line) {
      if (line >= begin) filter.learn(line);
    });
    if (!read) return refuse(read.error());
  }
  auto lines = print_story(*files, filter, begin, query->json);
  if (!lines) return refuse(lines.error());
  if (filter.overflowed()) {
    fmt::print(stderr,
               "post.office: more than {} messages or sessions: some lines are left out; see --days\n",
               TraceFilter::kMost);
  }
  if (*lines > 0) return 0;
  fmt::print(stderr, "post.office: the log in {} says nothing about {}\n", config.log_directory,
             po::for_terminal(query->text));
  return 1;
}

}  // namespace dispatcher
