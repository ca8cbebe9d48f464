// Verifies the files of a log by golang.org/x/mod/sumdb, which knows nothing of this project: that the checkpoint is signed, that
// the tiles lead to its root, that the records are those of the tiles, and that the proofs hold. Prints what it has found, and ends
// with 1 if anything is not as it was signed.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type tree struct {
	origin string
	tlog.Tree
}

// files reads tiles in the layout of C2SP tlog-tiles, which leaves out the height: it is always 8.
type files struct{ folder string }

func (f files) Height() int                         { return 8 }
func (f files) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(tiles))
	for i, tile := range tiles {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		data, err := os.ReadFile(filepath.Join(f.folder, path))
		if err != nil {
			return nil, err
		}
		read[i] = data
	}
	return read, nil
}

// memory has the hashes of a tree in the order in which tlog stores them.
type memory []tlog.Hash

func (m *memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	read := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		read[i] = (*m)[index]
	}
	return read, nil
}

func main() {
	folder, key := os.Args[1], os.Args[2]
	if err := verify(folder, key); err != nil {
		fmt.Println("rejected:", err)
		os.Exit(1)
	}
}

func verify(folder, key string) error {
	head, err := open(filepath.Join(folder, "checkpoint"), key)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	earlier, err := open(filepath.Join(folder, "earlier"), key)
	if err != nil {
		return fmt.Errorf("earlier checkpoint: %w", err)
	}
	hashes := tlog.TileHashReader(head.Tree, files{folder})
	root, err := tlog.TreeHash(head.N, hashes)
	if err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	if root != head.Hash {
		return fmt.Errorf("tiles: they lead to %v", root)
	}
	data, err := os.ReadFile(filepath.Join(folder, "records"))
	if err != nil {
		return err
	}
	records := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	if int64(len(records)) != head.N {
		return fmt.Errorf("records: %d of %d", len(records), head.N)
	}
	for i, record := range records {
		sealed, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(i))})
		if err != nil {
			return fmt.Errorf("tiles: %w", err)
		}
		if tlog.RecordHash(record) != sealed[0] {
			return fmt.Errorf("record %d is not the one that was sealed", i+1)
		}
	}
	// The reader of tiles of some versions does not compare every full tile with its parent: so from the records themselves.
	var stored memory
	for i, record := range records {
		next, err := tlog.StoredHashes(int64(i), record, &stored)
		if err != nil {
			return err
		}
		stored = append(stored, next...)
	}
	if root, err = tlog.TreeHash(head.N, &stored); err != nil || root != head.Hash {
		return fmt.Errorf("records: they lead to %v, %v", root, err)
	}
	var proofs struct {
		Inclusion []struct {
			Index int64
			Path  []string
		}
		Consistency []string
	}
	if data, err = os.ReadFile(filepath.Join(folder, "proofs.json")); err != nil {
		return err
	}
	if err = json.Unmarshal(data, &proofs); err != nil {
		return err
	}
	for _, proof := range proofs.Inclusion {
		path, err := decode(proof.Path)
		if err != nil {
			return err
		}
		leaf := tlog.RecordHash(records[proof.Index])
		if err = tlog.CheckRecord(path, head.N, head.Hash, proof.Index, leaf); err != nil {
			return fmt.Errorf("proof of record %d: %w", proof.Index+1, err)
		}
	}
	path, err := decode(proofs.Consistency)
	if err != nil {
		return err
	}
	if err = tlog.CheckTree(tlog.TreeProof(path), head.N, head.Hash, earlier.N, earlier.Hash); err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	fmt.Printf("accepted: %d records, %d proofs, consistent with %d of %s\n", head.N, len(proofs.Inclusion), earlier.N, head.origin)
	return nil
}

func open(path, key string) (tree, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tree{}, err
	}
	signed, err := os.ReadFile(path)
	if err != nil {
		return tree{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return tree{}, fmt.Errorf("it has %d lines", len(lines))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tree{lines[0], tlog.Tree{N: size, Hash: root}}, err
}

func decode(encoded []string) (tlog.RecordProof, error) {
	path := make(tlog.RecordProof, len(encoded))
	for i, text := range encoded {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(data) != tlog.HashSize {
			return nil, fmt.Errorf("%q is no hash", text)
		}
		copy(path[i][:], data)
	}
	return path, nil
}
