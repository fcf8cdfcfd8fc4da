"""The commit in a model's provenance is that of this code, not of a repository that the installed package lies in."""

import subprocess

import pytest

from training.versions import provenance


@pytest.fixture
def repository(tmp_path):
    """A repository with a folder and one commit."""
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "file").write_text("as it was committed")
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


def test_the_commit_of_a_checkout_is_marked_where_files_were_changed(repository, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", repository)
    commit = provenance.commit()
    assert len(commit) == 40
    (repository / "site-packages" / "file").write_text("changed")
    assert provenance.commit() == commit + "+"


def test_a_package_installed_inside_another_repository_has_no_commit(repository, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", repository / "site-packages")
    assert provenance.commit() == ""
