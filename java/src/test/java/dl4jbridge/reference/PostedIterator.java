package dl4jbridge.reference;

import dl4jbridge.Tensor;
import java.util.Collections;
import java.util.LinkedList;
import java.util.Random;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Batches the way DL4J's character example makes them, for 8-bit samples instead of characters: one
 * {@code putScalar} for each element. The reference for what Python writes by address; no training uses it.
 */
public final class PostedIterator {
    private static final int CLASSES = 256;
    private final byte[] input;
    private final byte[] target;
    private final int exampleLength;
    private final LinkedList<Integer> exampleStartOffsets = new LinkedList<>();

    /** A null seed keeps the examples in their order. */
    public PostedIterator(byte[] input, byte[] target, int exampleLength, Long seed) {
        this.input = input.clone();
        this.target = target.clone();
        this.exampleLength = exampleLength;
        for (int start = 0; start + exampleLength <= input.length; start += exampleLength) {
            exampleStartOffsets.add(start);
        }
        if (seed != null) {
            Collections.shuffle(exampleStartOffsets, new Random(seed));
        }
    }

    public DataSet next(int num) {
        int size = Math.min(num, exampleStartOffsets.size());
        INDArray features = Nd4j.create(DataType.FLOAT, new long[] {size, CLASSES, exampleLength}, 'f');
        INDArray labels = Nd4j.create(DataType.FLOAT, new long[] {size, CLASSES, exampleLength}, 'f');
        putExamples(size, features, labels);
        return new DataSet(features, labels);
    }

    /** {@link #next} into existing tensors, optionally cleared first, which avoids allocating new ones. */
    public void refill(Tensor features, Tensor labels, boolean clear) {
        if (clear) {
            features.array().assign(0);
            labels.array().assign(0);
        }
        putExamples((int) features.array().size(0), features.array(), labels.array());
    }

    private void putExamples(int size, INDArray features, INDArray labels) {
        for (int example = 0; example < size; example++) {
            int start = exampleStartOffsets.removeFirst();
            for (int t = 0; t < exampleLength; t++) {
                features.putScalar(new int[] {example, input[start + t] & 0xFF, t}, 1.0);
                labels.putScalar(new int[] {example, target[start + t] & 0xFF, t}, 1.0);
            }
        }
    }
}
