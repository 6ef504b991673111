#include "tests/power/disk.h"

#include <algorithm>
#include <set>

namespace power {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::string parent_of(const std::string& path) {
  auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

bool is_sync(const Event& event) {
  return std::holds_alternative<FileSynced>(event) || std::holds_alternative<DirectorySynced>(event) ||
         std::holds_alternative<WriteLasts>(event);
}

bool is_name_change(const Pending& one) {
  return !std::holds_alternative<Written>(one.what) && !std::holds_alternative<Resized>(one.what);
}

void apply(Names& names, const Pending& one) {
  if (const auto* l = std::get_if<Linked>(&one.what)) {
    names[l->path] = {l->file, l->directory};
  } else if (const auto* u = std::get_if<Unlinked>(&one.what)) {
    names.erase(u->path);
  } else if (const auto* r = std::get_if<Renamed>(&one.what)) {
    if (auto node = names.extract(r->from)) names[r->to] = node.mapped();
  }
}

static std::string directory_of(const Pending& one) {
  if (const auto* l = std::get_if<Linked>(&one.what)) return parent_of(l->path);
  if (const auto* u = std::get_if<Unlinked>(&one.what)) return parent_of(u->path);
  if (const auto* r = std::get_if<Renamed>(&one.what)) return parent_of(r->to);
  return "\n";  // no directory
}

static bool belongs_to(const Pending& one, int file) {
  if (const auto* w = std::get_if<Written>(&one.what)) return w->file == file;
  if (const auto* s = std::get_if<Resized>(&one.what)) return s->file == file;
  return false;
}

const std::string& Disk::octets(int file) const {
  static const std::string kEmpty;
  auto found = octets_.find(file);
  return found == octets_.end() ? kEmpty : found->second;
}

void Disk::make_last(const Pending& one) {
  if (const auto* w = std::get_if<Written>(&one.what)) {
    std::string& octets = octets_[w->file];
    if (octets.size() < w->offset + w->octets.size()) octets.resize(w->offset + w->octets.size());
    octets.replace(w->offset, w->octets.size(), w->octets);
  } else if (const auto* s = std::get_if<Resized>(&one.what)) {
    octets_[s->file].resize(s->size);
  } else {
    apply(names_, one);
  }
}

template <class Which>
void Disk::make_last(Which which) {
  std::vector<Pending> left;
  for (Pending& one : pending_) {
    if (which(one)) {
      make_last(one);
    } else {
      left.push_back(std::move(one));
    }
  }
  pending_ = std::move(left);
}

/// What was written to a file without a name is nobody's: it is not pending.
void Disk::forget_nameless() {
  std::set<int> named;
  for (const auto& [path, node] : names_) named.insert(node.file);
  for (const Pending& one : pending_) {
    if (const auto* l = std::get_if<Linked>(&one.what)) named.insert(l->file);
  }
  std::erase_if(pending_, [&named](const Pending& one) {
    if (const auto* w = std::get_if<Written>(&one.what)) return !named.contains(w->file);
    if (const auto* r = std::get_if<Resized>(&one.what)) return !named.contains(r->file);
    return false;
  });
}

static std::vector<Written> by_pages(const Written& w) {
  std::vector<Written> pages;
  for (std::size_t at = 0; at < w.octets.size();) {
    std::size_t n = std::min<std::size_t>(kPage - (w.offset + at) % kPage, w.octets.size() - at);
    pages.push_back({w.file, w.offset + at, w.octets.substr(at, n)});
    at += n;
  }
  return pages;
}

/// The same page, at the latest with this event.
static bool goes_along(const Pending& one, const std::vector<Written>& pages, std::size_t event) {
  const auto* w = std::get_if<Written>(&one.what);
  if (w == nullptr || one.event > event) return false;
  return std::ranges::any_of(
      pages, [w](const Written& p) { return p.file == w->file && p.offset / kPage == w->offset / kPage; });
}

void Disk::take(std::size_t number, const Event& event, const Ignored& ignored) {
  auto wait = [this, number](auto what) { pending_.push_back({number, std::move(what)}); };
  std::visit(Overloaded{
                 [&](const Written& w) {
                   for (Written& page : by_pages(w)) wait(std::move(page));
                 },
                 [&](const Resized& r) { wait(r); },
                 [&](const Linked& l) { wait(l); },
                 [&](const Unlinked& u) { wait(u); },
                 [&](const Renamed& r) { wait(r); },
                 [&](const FileSynced& s) {
                   auto tables = names_.find("store/data.mdb");
                   bool is_tables = tables != names_.end() && tables->second.file == s.file;
                   if (is_tables ? ignored.tables : ignored.bodies) return;
                   make_last([&s](const Pending& p) { return belongs_to(p, s.file); });
                 },
                 [&](const DirectorySynced& s) {
                   if (ignored.names) return;
                   make_last([&s](const Pending& p) { return directory_of(p) == s.path; });
                   forget_nameless();
                 },
                 [&](const WriteLasts& lasts) {
                   if (ignored.commit_page) return;
                   std::vector<Written> pages;
                   for (const Pending& p : pending_) {
                     if (p.event == lasts.event) pages.push_back(std::get<Written>(p.what));
                   }
                   make_last([&](const Pending& p) { return goes_along(p, pages, lasts.event); });
                 },
                 [](const Begun&) {},
                 [](const Answered&) {},
             },
             event);
}

}  // namespace power
